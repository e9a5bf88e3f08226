# The head of a file is a column of names and values, and as text its lines would run together:
# Doxygen reads them as a list. Only the comment that the file begins with is a head.
1,/^([^/]|$)/ {
  s,^/// (Bottleneck|Bytes moved|FLOPs|Teaches|Leaves out|Idea|Before|Needs) {2\,},/// - **\1**: ,
  s,^/// {6\,},///   ,
}
