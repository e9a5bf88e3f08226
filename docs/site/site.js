// Formulas become MathML, which needs no fonts, and reads aloud.
'use strict';

renderMathInElement(document.getElementById('main'), {
  delimiters: [
    {left: '\\(', right: '\\)', display: false},
    {left: '\\[', right: '\\]', display: true},
  ],
  output: 'mathml',
  throwOnError: false,
});
