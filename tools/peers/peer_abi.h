/* SPDX-License-Identifier: Apache-2.0 */
/* The plain C entry by which a kernel library is timed beside the peers.
 *
 * Build a shared library that exports any subset of the functions below and pass it:
 *     ./lab peers --lab path/to/library.so        (may be given several times)
 * A pair X_pack + X_<run> that is absent is skipped. Everything is row-major and dense.
 *
 * Packing is not timed. Activation quantization, where the operation has any, is timed.
 * "threads" is the total number of threads to use (1 = the calling thread only).
 * A run function must not allocate once it has been called twice with the same m.
 */
#ifndef QLAB_PEER_ABI_H
#define QLAB_PEER_ABI_H
#include <stddef.h>
#include <stdint.h>
#define QLAB_PEER_ABI 1
#ifdef __cplusplus
extern "C" {
#endif

int qlab_peer_abi(void);          /* required: return QLAB_PEER_ABI */
const char* qlab_peer_name(void); /* optional: shown in the column "peer" */
const char* qlab_peer_path(
    const char* op); /* optional: "scalar", "avx2", "avx512_vnni", … for "w8a8", "w4a8", … */

/* Frees what any of the pack functions returned. Required when there is one. */
void qlab_peer_free(void* packed);
/* Bytes of weights (or of KV) that one call streams, scales included. Optional: else the driver's estimate. */
size_t qlab_peer_bytes(const void* packed);

/* w8a8: y[m][n] = xs[m] * ws[n] * sum_k x[m][k] * w[n][k]; w and x in [-128, 127]; int32 sums must be exact. */
void* qlab_w8a8_pack(const int8_t* w, const float* ws, int n, int k);
void qlab_w8a8_gemm(const void* packed, const int8_t* x, const float* xs, float* y, int m,
                    int threads);

/* w4: weight[n][k] = (codes[n][k] - zeros[n][k/group]) * scales[n][k/group]; one code (0..15) a byte here;
 * zeros == NULL means 8 everywhere. group divides k.
 * w4a8 quantizes x to 8 bits inside (per row or per row and group, free choice); w4a16 must keep >= 8 significant bits
 * of x (x: IEEE binary16 bits). y is float. m = 1 is the GEMV. */
void* qlab_w4a8_pack(const uint8_t* codes, const float* scales, const uint8_t* zeros, int n, int k,
                     int group);
void qlab_w4a8_gemm(const void* packed, const float* x, float* y, int m, int threads);
void* qlab_w4a16_pack(const uint8_t* codes, const float* scales, const uint8_t* zeros, int n, int k,
                      int group);
void qlab_w4a16_gemm(const void* packed, const uint16_t* x, float* y, int m, int threads);

/* f16, bf16: y = x w^T with float sums; w[n][k], x[m][k] as binary16 / bfloat16 bits. */
void* qlab_f16_pack(const uint16_t* w, int n, int k);
void qlab_f16_gemm(const void* packed, const uint16_t* x, float* y, int m, int threads);
void* qlab_bf16_pack(const uint16_t* w, int n, int k);
void qlab_bf16_gemm(const void* packed, const uint16_t* x, float* y, int m, int threads);

/* Decode attention of one token: k, v [kv_heads][ctx][head_dim] floats, quantized by pack into the library's own format
 * of the kind asked for (16, 8 or 4 bits a value); pack returns NULL for a kind it lacks.
 * q, out [heads][head_dim]; query head h reads KV head h / (heads / kv_heads); scale 1/sqrt(head_dim). */
void* qlab_attn_pack(int bits, const float* k, const float* v, int ctx, int kv_heads, int head_dim);
void qlab_attn_decode(const void* packed, const float* q, float* out, int heads, int threads);

#ifdef __cplusplus
}
#endif
#endif
