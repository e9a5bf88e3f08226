# SPDX-License-Identifier: Apache-2.0
"""What the generators of this folder share: SplitMix64, and small float formats in exact rationals.

Written from the definitions, with rationals instead of bit tricks, so that a mistake shared with the
kernels is unlikely.
"""
import math
import os
import struct
from fractions import Fraction

HERE = os.path.dirname(os.path.abspath(__file__))


class SplitMix64:
    MASK = (1 << 64) - 1

    def __init__(self, seed):
        self.state = seed

    def bits(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
        return z ^ (z >> 31)

    def below(self, n):
        return (self.bits() * n) >> 64

    def near_normal(self):  # the sum of 12 uniforms in [0, 1), less its mean
        return sum((self.bits() >> 11) * 2.0 ** -53 for _ in range(12)) - 6


def nearest_integer(x):
    """Ties to even."""
    below = x.numerator // x.denominator
    rest = x - below
    return below + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and below % 2 == 1))


def f32(x):
    return struct.unpack('<f', struct.pack('<f', x))[0]


def f32_bits(x):
    return struct.unpack('<I', struct.pack('<f', x))[0]


def from_f32_bits(bits):
    return struct.unpack('<f', struct.pack('<I', bits))[0]


class Format:
    def __init__(self, name, exponent_bits, mantissa_bits, has_infinity):
        self.name, self.e, self.m = name, exponent_bits, mantissa_bits
        self.bias = (1 << (exponent_bits - 1)) - 1
        self.min_exponent = 1 - self.bias
        self.width = 1 + exponent_bits + mantissa_bits
        all_ones = (1 << (exponent_bits + mantissa_bits)) - 1
        self.infinity = (all_ones >> mantissa_bits) << mantissa_bits if has_infinity else None
        self.max_code = self.infinity - 1 if has_infinity else all_ones - 1
        self.max = self.decode(self.max_code)

    def decode(self, code):
        """A Fraction, or 'nan', 'inf', '-inf'."""
        negative = code >> (self.width - 1)
        magnitude = code & ((1 << (self.width - 1)) - 1)
        if magnitude == self.infinity:
            return '-inf' if negative else 'inf'
        if self.infinity is None and magnitude == (1 << (self.width - 1)) - 1:
            return 'nan'
        if self.infinity is not None and magnitude > self.infinity:
            return 'nan'
        exponent, mantissa = magnitude >> self.m, magnitude & ((1 << self.m) - 1)
        if exponent == 0:
            value = mantissa * Fraction(2) ** (self.min_exponent - self.m)
        else:
            value = ((1 << self.m) + mantissa) * Fraction(2) ** (exponent - self.bias - self.m)
        return -value if negative else value

    def encode(self, x, saturate):
        """The code of the nearest value of a float; 'nan' for NaN, also from overflow."""
        if math.isnan(x):
            return 'nan'
        sign = (1 << (self.width - 1)) if math.copysign(1.0, x) < 0 else 0
        over = self.max_code if saturate else self.infinity
        if not math.isinf(x):
            magnitude = abs(Fraction(x))
            exponent = max(math.frexp(abs(x))[1] - 1, self.min_exponent) if x else self.min_exponent
            steps = nearest_integer(magnitude / Fraction(2) ** (exponent - self.m))
            # 2^m steps are the smallest value of this exponent, a normal; fewer are a subnormal.
            code = ((exponent - self.min_exponent) << self.m) + steps
            if code <= self.max_code:
                return sign | code
        return 'nan' if over is None else sign | over


FP16 = Format('fp16', 5, 10, True)
BF16 = Format('bf16', 8, 7, True)
E4M3 = Format('e4m3', 4, 3, False)
E5M2 = Format('e5m2', 5, 2, True)
