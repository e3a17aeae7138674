// exp and log1p on vectors: branch-free, no libm; a table only where it fits in two registers.
//
// Measured maxima (tests/kernel/test_exp.py), in units in the last place:
//   exp_nonpositive   [-inf, 0]        float64, float32 1.01 ulp (AVX-512 1.1); subnormal results to 1
//                                      spacing
//   log_positive      normal numbers   float64 0.8 ulp, float32 0.8 ulp
//   log1p_nonnegative [0, 2^1000]      float64 0.8 ulp, float32 0.8 ulp ([0, 2^100])
// Build without -ffast-math: (x + magic) - magic must not be folded.
#pragma once

#include "simd.h"

namespace sksoftmax {
namespace {

template <class T>
struct ExpConstants;

template <>
struct ExpConstants<double> {
  static constexpr double lowest = -745.14;  // below it exp rounds to 0
  static constexpr double log2_e = 0x1.71547652b82fep0;
};

template <>
struct ExpConstants<float> {
  static constexpr float lowest = -103.98f;  // below it exp rounds to 0
  static constexpr float log2_e = 0x1.715476p0f;
};

#if defined(__AVX512F__)
// Sixteen numbers fit in one register (float64: in two), and one instruction looks a vector of them
// up. With y = n ln2 + r, n a multiple of 1/16: exp(y) = 2^floor(n) 2^(n - floor(n)) exp(r). On
// [-ln2/32, ln2/32] exp(r) = 1 + r + r^2 q(r) takes a q of 2 coefficients (float64: 5) instead of 5
// (10), relative error of the whole below 0.06 eps, and what it adds to 1 is small, so that the
// table's rounding is what counts.
template <class T>
struct Sixteenths;

template <>
struct Sixteenths<double> {
  using M = __m512d;
  static constexpr double magic = 0x1.8p48;  // there numbers are 1/16 apart
  static constexpr double ln2_hi = 0x1.62e42fefa39efp-1, ln2_lo = 0x1.abc9e3b39803fp-56;
  static constexpr double q[] = {0x1.0000000000000p-1, 0x1.5555555489fd1p-3, 0x1.55555554efa94p-5,
                                 0x1.11123da006f6ap-7, 0x1.6c17edfaef184p-10};
  alignas(64) static constexpr double powers[] = {  // 2^(j/16)
      0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0,
      0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0,
      0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
      0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0};

  static SKSOFTMAX_INLINE __m512d power(__m512d shifted) {
    return _mm512_permutex2var_pd(_mm512_load_pd(powers), (__m512i)shifted,
                                  _mm512_load_pd(powers + 8));
  }
  static SKSOFTMAX_INLINE __m512d minus_product(__m512d c, __m512d a, double b) {
    return _mm512_fnmadd_pd(a, _mm512_set1_pd(b), c);
  }
  // e * 2^floor(n), and 0 where y is below the lowest: a NaN is not.
  static SKSOFTMAX_INLINE __m512d scaled(__m512d e, __m512d n, __m512d y) {
    const __m512d lowest = _mm512_set1_pd(ExpConstants<double>::lowest);
    return _mm512_maskz_scalef_pd(_mm512_cmp_pd_mask(y, lowest, _CMP_NLT_UQ), e, n);
  }
};

template <>
struct Sixteenths<float> {
  using M = __m512;
  static constexpr float magic = 0x1.8p19f;
  static constexpr float ln2_hi = 0x1.62e43p-1f, ln2_lo = -0x1.05c61p-29f;
  static constexpr float q[] = {0x1.00022p-1f, 0x1.555748p-3f};
  alignas(64) static constexpr float powers[] = {
      0x1.000000p+0f, 0x1.0b5586p+0f, 0x1.172b84p+0f, 0x1.2387a6p+0f,
      0x1.306fe0p+0f, 0x1.3dea64p+0f, 0x1.4bfdaep+0f, 0x1.5ab07ep+0f,
      0x1.6a09e6p+0f, 0x1.7a1148p+0f, 0x1.8ace54p+0f, 0x1.9c4918p+0f,
      0x1.ae89fap+0f, 0x1.c199bep+0f, 0x1.d5818ep+0f, 0x1.ea4afap+0f};

  static SKSOFTMAX_INLINE __m512 power(__m512 shifted) {
    return _mm512_permutexvar_ps((__m512i)shifted, _mm512_load_ps(powers));
  }
  static SKSOFTMAX_INLINE __m512 minus_product(__m512 c, __m512 a, float b) {
    return _mm512_fnmadd_ps(a, _mm512_set1_ps(b), c);
  }
  static SKSOFTMAX_INLINE __m512 scaled(__m512 e, __m512 n, __m512 y) {
    const __m512 lowest = _mm512_set1_ps(ExpConstants<float>::lowest);
    return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(y, lowest, _CMP_NLT_UQ), e, n);
  }
};

// exp(y) for y <= 0; exactly 1 at 0, exactly 0 at -inf; NaN stays NaN.
template <class T>
SKSOFTMAX_INLINE Vec<T> exp_nonpositive(Vec<T> y) {
  using C = Sixteenths<T>;
  using V = Vec<T>;
  using M = typename C::M;
  const V magic = splat(C::magic);
  const V shifted = y * ExpConstants<T>::log2_e + magic;  // its low four bits: 16 (n - floor(n))
  const V n = shifted - magic;
  // Each product is exact inside its fused operation, so ln2 is split at full precision. Written out:
  // without optimisation the compiler does not contract.
  const V r = (V)C::minus_product(C::minus_product((M)y, (M)n, C::ln2_hi), (M)n, C::ln2_lo);
  constexpr int terms = sizeof(C::q) / sizeof(C::q[0]);
  V poly = splat(C::q[terms - 1]);
#pragma GCC unroll 4
  for (int i = terms - 2; i >= 0; --i) poly = poly * r + C::q[i];
  const V power = (V)C::power((M)shifted);
  const V e = power * (poly * (r * r) + r) + power;
  // Zeros are selected, not computed: an underflowing scaling costs some 150 cycles of microcode.
  return (V)C::scaled((M)e, (M)n, (M)y);
}
#else
// exp(r) = 1 + r + r^2 q(r) on [-ln2/2, ln2/2]: q by Chebyshev interpolation, relative error of the
// whole below 0.1 eps. ln2 = ln2_hi + ln2_lo, n * ln2_hi exact for every n that can occur.
template <class T>
struct Halves;

template <>
struct Halves<double> {
  static constexpr double ln2_hi = 0x1.62e42fefa3000p-1, ln2_lo = 0x1.3de6af278ece6p-42;
  static constexpr int mantissa_bits = 52, headroom = 54, exponent_bias = 1023;
  static constexpr double round_magic = 0x1.8p52, tiny = 0x1p-54;
  static constexpr double q[] = {0x1.0000000000001p-1,  0x1.5555555555556p-3,
                                 0x1.5555555553d4fp-5,  0x1.11111111109adp-7,
                                 0x1.6c16c17893833p-10, 0x1.a01a01a7c8d47p-13,
                                 0x1.a019b8ef67c6cp-16, 0x1.71de0d9c145d0p-19,
                                 0x1.2891a8c1d838dp-22, 0x1.af38d53857513p-26};
};

template <>
struct Halves<float> {
  static constexpr float ln2_hi = 0x1.62e4p-1f, ln2_lo = 0x1.7f7d1cp-20f;
  static constexpr int mantissa_bits = 23, headroom = 24, exponent_bias = 127;
  static constexpr float round_magic = 0x1.8p23f, tiny = 0x1p-24f;
  static constexpr float q[] = {0x1.0p-1f, 0x1.5554dcp-3f, 0x1.55551ap-5f, 0x1.120ba2p-7f,
                                0x1.6d113cp-10f};
};

// exp(y) for y <= 0; exactly 1 at 0, exactly 0 at -inf; NaN stays NaN.
template <class T>
SKSOFTMAX_INLINE Vec<T> exp_nonpositive(Vec<T> y) {
  using C = Halves<T>;
  using U = typename Simd<T>::U;
  // Zeros are selected, not computed: an underflowing scaling costs some 150 cycles of microcode.
  const typename Simd<T>::I vanishes = y < ExpConstants<T>::lowest;
  y = vanishes ? Vec<T>{} : y;
  const Vec<T> magic = splat(static_cast<T>(C::round_magic + C::exponent_bias + C::headroom));
  const Vec<T> shifted = y * ExpConstants<T>::log2_e + magic;
  const Vec<T> n = shifted - magic;
  const Vec<T> r = (y - n * C::ln2_hi) - n * C::ln2_lo;
  constexpr int terms = sizeof(C::q) / sizeof(C::q[0]);
  Vec<T> q = splat(C::q[terms - 1]);
#pragma GCC unroll 16
  for (int i = terms - 2; i >= 0; --i) q = q * r + C::q[i];
  // Times 2^n, rounded once where that is subnormal; shifted holds n in its low mantissa bits.
  const Vec<T> power = (Vec<T>)((U)shifted << C::mantissa_bits);  // 2^(n + headroom), normal
  const Vec<T> e = (((q * (r * r) + r) + T(1)) * power) * C::tiny;
  return vanishes ? Vec<T>{} : e;
}
#endif

// log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)), s = f / (2 + f): the polynomials of fdlibm's
// e_log.c and e_logf.c (Sun Microsystems, 1993).
template <class T>
struct LogConstants;

template <>
struct LogConstants<double> {
  static constexpr std::uint64_t one = 0x3ff0000000000000u, sqrt_half = 0x3fe6a09e00000000u;
  static constexpr std::uint64_t mantissa = 0x000fffffffffffffu;
  static constexpr int mantissa_bits = 52, exponent_bias = 1023;
  static constexpr std::uint64_t integer_magic_bits = 0x4330000000000000u;  // 2^52
  static constexpr double integer_magic = 0x1p52;
  static constexpr double ln2_hi = 6.93147180369123816490e-01, ln2_lo = 1.90821492927058770002e-10;
  static constexpr double r[] = {6.666666666666735130e-01, 3.999999999940941908e-01,
                                 2.857142874366239149e-01, 2.222219843214978396e-01,
                                 1.818357216161805012e-01, 1.531383769920937332e-01,
                                 1.479819860511658591e-01};
};

template <>
struct LogConstants<float> {
  static constexpr std::uint32_t one = 0x3f800000u, sqrt_half = 0x3f3504f3u;
  static constexpr std::uint32_t mantissa = 0x007fffffu;
  static constexpr int mantissa_bits = 23, exponent_bias = 127;
  static constexpr std::uint32_t integer_magic_bits = 0x4b000000u;  // 2^23
  static constexpr float integer_magic = 0x1p23f;
  static constexpr float ln2_hi = 6.9313812256e-01f, ln2_lo = 9.0580006145e-06f;
  static constexpr float r[] = {0xaaaaaa.0p-24f, 0xccce13.0p-25f, 0x91e9ee.0p-25f,
                                0xf89e26.0p-26f};
};

// log(u) + correction, the correction (a few ulp of u at most) added before the last rounding.
template <class T>
SKSOFTMAX_INLINE Vec<T> log_corrected(Vec<T> u, Vec<T> correction) {
  using C = LogConstants<T>;
  using U = typename Simd<T>::U;
  const U bits = (U)u + (C::one - C::sqrt_half);
  const U exponent = bits >> C::mantissa_bits;  // k + bias, as an integer
  const Vec<T> k = (Vec<T>)(exponent | C::integer_magic_bits) -
                   (C::integer_magic + static_cast<T>(C::exponent_bias));
  const Vec<T> f = (Vec<T>)((bits & C::mantissa) + C::sqrt_half) - T(1);
  const Vec<T> s = f / (f + T(2));
  const Vec<T> z = s * s;
  constexpr int terms = sizeof(C::r) / sizeof(C::r[0]);
  Vec<T> poly = splat(C::r[terms - 1]);
#pragma GCC unroll 8
  for (int i = terms - 2; i >= 0; --i) poly = poly * z + C::r[i];
  const Vec<T> half_square = f * f * T(0.5);
  return s * (half_square + poly * z) + (k * C::ln2_lo + correction) - half_square + f +
         k * C::ln2_hi;
}

// log(x) for normal x > 0.
template <class T>
SKSOFTMAX_INLINE Vec<T> log_positive(Vec<T> x) {
  return log_corrected<T>(x, Vec<T>{});
}

// log(1 + x) for x >= 0, relatively accurate for tiny x too: log(u) + (x - (u - 1)) / u with
// u = 1 + x rounded (Goldberg 1991, theorem 4). NaN stays NaN.
template <class T>
SKSOFTMAX_INLINE Vec<T> log1p_nonnegative(Vec<T> x) {
  const Vec<T> one = splat(T(1));
  const Vec<T> u = x + one;
  // The rounding error of u: exact either way round (Fast2Sum).
  const Vec<T> error = x < one ? x - (u - one) : one - (u - x);
  const Vec<T> result = log_corrected<T>(u, error / u);
  return x == x ? result : x;
}

}  // namespace
}  // namespace sksoftmax
