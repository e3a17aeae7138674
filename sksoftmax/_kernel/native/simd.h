// One vector type per floating type, as wide as the ISA this unit is compiled for.
//
// GCC/Clang vector extensions give arithmetic, comparison and select in plain C++; the few
// operations that they lack or compile badly (maximum, partial loads, scaling by a power of two)
// are the only intrinsics of the suite.
// Everything lives in an anonymous namespace: units compiled for different ISAs share no symbol.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the deliberately undefined operands of _mm512_max_ps and others for a mistake.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#endif

// SKSOFTMAX_ISA is the name of this unit's body: SKSOFTMAX_PASTE(kernel_, SKSOFTMAX_ISA) its table.
#define SKSOFTMAX_PASTE_(a, b) a##b
#define SKSOFTMAX_PASTE(a, b) SKSOFTMAX_PASTE_(a, b)
#define SKSOFTMAX_TEXT_(a) #a
#define SKSOFTMAX_TEXT(a) SKSOFTMAX_TEXT_(a)

#define SKSOFTMAX_INLINE inline __attribute__((always_inline))
// A lambda takes the attribute after its parameters.
#define SKSOFTMAX_INLINE_LAMBDA __attribute__((always_inline))

namespace sksoftmax {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class T>
struct Simd;

template <>
struct Simd<double> {
  static constexpr int width = kVectorBytes / 8;
  typedef double V __attribute__((vector_size(kVectorBytes)));
  typedef std::int64_t I __attribute__((vector_size(kVectorBytes)));
  typedef std::uint64_t U __attribute__((vector_size(kVectorBytes)));
  typedef std::uint8_t B __attribute__((vector_size(kVectorBytes / 8)));
};

template <>
struct Simd<float> {
  static constexpr int width = kVectorBytes / 4;
  typedef float V __attribute__((vector_size(kVectorBytes)));
  typedef std::int32_t I __attribute__((vector_size(kVectorBytes)));
  typedef std::uint32_t U __attribute__((vector_size(kVectorBytes)));
  typedef std::uint8_t B __attribute__((vector_size(kVectorBytes / 4)));
};

template <class T>
using Vec = typename Simd<T>::V;

template <class T>
constexpr T kInfinity = static_cast<T>(__builtin_inf());

template <class T>
SKSOFTMAX_INLINE Vec<T> splat(T x) {
  return x - Vec<T>{};  // x - 0, not x + 0: keeps the sign of a zero
}

template <class T>
SKSOFTMAX_INLINE Vec<T> load(const T* p) {
  Vec<T> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
SKSOFTMAX_INLINE void store(T* p, Vec<T> v) {
  std::memcpy(p, &v, sizeof v);
}

// 0, 1, 2, ... as lanes.
template <class T, int... lane>
SKSOFTMAX_INLINE typename Simd<T>::I lane_numbers(std::integer_sequence<int, lane...>) {
  return typename Simd<T>::I{lane...};
}

// True (all bits) in the first n lanes.
template <class T>
SKSOFTMAX_INLINE typename Simd<T>::I first_lanes(int n) {
  return lane_numbers<T>(std::make_integer_sequence<int, Simd<T>::width>{}) < n;
}

// The first n lanes from memory (0 < n < width), the others equal to fill. Reads n elements only.
template <class T>
SKSOFTMAX_INLINE Vec<T> load_partial(const T* p, int n, T fill) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 8)
    return (Vec<T>)_mm512_mask_loadu_pd(splat<double>(fill), (__mmask8)((1u << n) - 1), p);
  else
    return (Vec<T>)_mm512_mask_loadu_ps(splat<float>(fill), (__mmask16)((1u << n) - 1), p);
#elif defined(__AVX2__)
  const auto wanted = first_lanes<T>(n);
  if constexpr (sizeof(T) == 8)
    return wanted ? (Vec<T>)_mm256_maskload_pd(p, (__m256i)wanted) : splat(fill);
  else
    return wanted ? (Vec<T>)_mm256_maskload_ps(p, (__m256i)wanted) : splat(fill);
#else
  Vec<T> v = splat(fill);
  for (int i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}

template <class T>
SKSOFTMAX_INLINE void store_partial(T* p, Vec<T> v, int n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 8)
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
  else
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 8)
    _mm256_maskstore_pd(p, (__m256i)first_lanes<T>(n), (__m256d)v);
  else
    _mm256_maskstore_ps(p, (__m256i)first_lanes<T>(n), (__m256)v);
#else
  for (int i = 0; i < n; ++i) p[i] = v[i];
#endif
}

// a > b ? a : b. When either is NaN the result is b.
template <class T>
SKSOFTMAX_INLINE Vec<T> maximum(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 8) return (Vec<T>)_mm512_max_pd((__m512d)a, (__m512d)b);
  else return (Vec<T>)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 8) return (Vec<T>)_mm256_max_pd((__m256d)a, (__m256d)b);
  else return (Vec<T>)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
  if constexpr (sizeof(T) == 8) return (Vec<T>)_mm_max_pd((__m128d)a, (__m128d)b);
  else return (Vec<T>)_mm_max_ps((__m128)a, (__m128)b);
#else
  return a > b ? a : b;
#endif
}

// Is any lane of a comparison's result true?
template <class T>
SKSOFTMAX_INLINE bool any_lane(typename Simd<T>::I lanes) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 8) return _mm512_test_epi64_mask((__m512i)lanes, (__m512i)lanes) != 0;
  else return _mm512_test_epi32_mask((__m512i)lanes, (__m512i)lanes) != 0;
#elif defined(__AVX2__)
  return !_mm256_testz_si256((__m256i)lanes, (__m256i)lanes);
#else
  bool any = false;
  for (int i = 0; i < Simd<T>::width; ++i) any |= lanes[i] != 0;
  return any;
#endif
}

// Lanes where the byte is zero become fill; n <= width bytes are read, lanes beyond n become fill.
template <class T>
SKSOFTMAX_INLINE Vec<T> keep_where(const std::uint8_t* bytes, int n, Vec<T> v, T fill) {
  typename Simd<T>::B b = {};
  std::memcpy(&b, bytes, n);
  const auto kept = __builtin_convertvector(b, typename Simd<T>::I) != 0;
  return kept ? v : splat(fill);
}

// Lane i of the result is lane i ^ half of v; the indices must be constants, hence the pack.
template <class T, int half, int... lane>
SKSOFTMAX_INLINE Vec<T> swap_halves(Vec<T> v, std::integer_sequence<int, lane...>) {
  return __builtin_shufflevector(v, v, (lane ^ half)...);
}

// A vector as pieces of 16 bytes: piece i from (to) p + i * stride.
template <class T>
constexpr int kPiece = 16 / sizeof(T);  // entries

template <class T>
SKSOFTMAX_INLINE Vec<T> load_pieces(const T* p, [[maybe_unused]] std::int64_t stride) {
#if defined(__AVX512F__)
  const auto piece = [=](int i) SKSOFTMAX_INLINE_LAMBDA {
    return _mm_loadu_ps(reinterpret_cast<const float*>(p + i * stride));
  };
  // Masked, a broadcast from memory is a load and a blend: no shuffle.
  __m512 v = _mm512_castps128_ps512(piece(0));
  v = _mm512_mask_broadcast_f32x4(v, 0x00f0, piece(1));
  v = _mm512_mask_broadcast_f32x4(v, 0x0f00, piece(2));
  return (Vec<T>)_mm512_mask_broadcast_f32x4(v, 0xf000, piece(3));
#elif defined(__AVX2__)
  const __m128 first = _mm_loadu_ps(reinterpret_cast<const float*>(p));
  const __m128 second = _mm_loadu_ps(reinterpret_cast<const float*>(p + stride));
  return (Vec<T>)_mm256_insertf128_ps(_mm256_castps128_ps256(first), second, 1);
#else
  return load<T>(p);
#endif
}

template <class T>
SKSOFTMAX_INLINE void store_pieces(T* p, Vec<T> v, [[maybe_unused]] std::int64_t stride) {
#if defined(__AVX512F__)
  const auto at = [=](int i) SKSOFTMAX_INLINE_LAMBDA {
    return reinterpret_cast<float*>(p + i * stride);
  };
  _mm_storeu_ps(at(0), _mm512_castps512_ps128((__m512)v));
  _mm_storeu_ps(at(1), _mm512_extractf32x4_ps((__m512)v, 1));
  _mm_storeu_ps(at(2), _mm512_extractf32x4_ps((__m512)v, 2));
  _mm_storeu_ps(at(3), _mm512_extractf32x4_ps((__m512)v, 3));
#elif defined(__AVX2__)
  _mm_storeu_ps(reinterpret_cast<float*>(p), _mm256_castps256_ps128((__m256)v));
  _mm_storeu_ps(reinterpret_cast<float*>(p + stride), _mm256_extractf128_ps((__m256)v, 1));
#else
  store<T>(p, v);
#endif
}

// Pairwise over the lanes, in a fixed order; every lane of the result holds the answer.
template <class T, int half = Simd<T>::width / 2, class Op>
SKSOFTMAX_INLINE Vec<T> reduce_lanes(Vec<T> v, Op op) {
  if constexpr (half == 0) {
    return v;
  } else {
    const auto lanes = std::make_integer_sequence<int, Simd<T>::width>{};
    return reduce_lanes<T, half / 2>(op(v, swap_halves<T, half>(v, lanes)), op);
  }
}

template <class T>
SKSOFTMAX_INLINE Vec<T> sum_lanes(Vec<T> v) {
  return reduce_lanes<T>(v, [](Vec<T> a, Vec<T> b) SKSOFTMAX_INLINE_LAMBDA { return a + b; });
}

template <class T>
SKSOFTMAX_INLINE Vec<T> maximum_lanes(Vec<T> v) {
  return reduce_lanes<T>(
      v, [](Vec<T> a, Vec<T> b) SKSOFTMAX_INLINE_LAMBDA { return maximum<T>(a, b); });
}

}  // namespace
}  // namespace sksoftmax
