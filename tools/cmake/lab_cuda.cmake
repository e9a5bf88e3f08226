# SPDX-License-Identifier: Apache-2.0
# The CUDA Toolkit is optional: without nvcc everything but the GPU rungs is built.
set(QLAB_CUDA AUTO CACHE STRING "GPU rungs: AUTO (if nvcc is found), ON (stop if it is not), OFF")
set_property(CACHE QLAB_CUDA PROPERTY STRINGS AUTO ON OFF)
