"""C++ functions that compilers take several numbers at once through, on any C library.

Those of the C library are called for eight numbers at once at best, and then a caller keeps nothing
in its registers; these become part of the loop that uses them.
"""

from __future__ import annotations

#: A maximum and a minimum, which processors have instructions for; nan stays nan, as in numpy.
CLIP = """
template <typename T> struct _bound { typedef double type; };
template <> struct _bound<float> { typedef float type; };
template <typename T>
static inline T _clip(const T value, const typename _bound<T>::type low,
                      const typename _bound<T>::type high)
{
    const T raised = low > value ? low : value;
    return high < raised ? high : raised;
}
"""

#: The exponential: ``exp(x) = 2**n * exp(r)`` with the whole number ``n`` nearest to ``x/log(2)``
#: and ``r = x - n*log(2)`` (Cody and Waite, Software Manual for the Elementary Functions, 1980).
#: The polynomials in ``r`` are those of least relative error: 3.7e-18 and 3e-9. They are summed in
#: pairs (Estrin), since a loop waits for the longest chain. Adding ``1.5*2**52`` rounds to a whole
#: number and leaves it in the lowest bits; fast-math does not look into a fused multiply-add, so
#: it cannot undo that. Results below the smallest normal number are zero, as fast-math has it; one
#: choice after the other, since gcc makes two more comparisons of a choice within a choice.
EXP = """
#if defined(__FMA__) || defined(__FP_FAST_FMA) || defined(__ARM_FEATURE_FMA)
// p times two to the power in the lowest bits of shifted
template <typename Bits, int digits, typename T>
static inline T _scaled(const T p, const T shifted)
{
    Bits bits, power;
    __builtin_memcpy(&bits, &p, sizeof bits);
    __builtin_memcpy(&power, &shifted, sizeof power);
    bits += power << digits;
    T y;
    __builtin_memcpy(&y, &bits, sizeof y);
    return y;
}
static inline double _exp(const double x)
{
    const double shifted = __builtin_fma(x, 1.4426950408889634, 0x1.8p52);
    const double n = shifted - 0x1.8p52;
    const double r = __builtin_fma(n, -2.3190468138462996e-17,
                                   __builtin_fma(n, -0.6931471805599453, x));
    const double r2 = r*r, r4 = r2*r2;
    const double a = __builtin_fma(0.1666666666666641, r, 0.5000000000000011);
    const double b = __builtin_fma(0.008333333333495625, r, 0.041666666666529184);
    const double c = __builtin_fma(0.00019841269504756358, r, 0.0013888888943923378);
    const double d = __builtin_fma(2.7557587354280988e-06, r, 2.4801492762002333e-05);
    const double e = __builtin_fma(2.4999960462135087e-08, r, 2.763037890494334e-07);
    const double low = __builtin_fma(a, r2, 1.0 + r);
    const double middle = __builtin_fma(c, r2, b);
    const double high = __builtin_fma(e, r2, d);
    const double p = __builtin_fma(high, r4*r4, __builtin_fma(middle, r4, low));
    const double y = _scaled<uint64_t, 52>(p, shifted);
    const double z = x < -708.396418532264 ? 0.0 : y;
    return x > 709.782712893384 ? (double)INFINITY : z;
}
#else
static inline double _exp(const double x) { return std::exp(x); }
#endif
template <typename T>
static inline double _exp(const T x) { return _exp((double)x); }
"""

#: The same in single precision. In programs in double precision it has no place: there Brian2's
#: quotients of whole numbers are single.
EXP_SINGLE = """
#if defined(__FMA__) || defined(__FP_FAST_FMA) || defined(__ARM_FEATURE_FMA)
static inline float _exp(const float x)
{
    const float shifted = __builtin_fmaf(x, 1.44269504f, 0x1.8p23f);
    const float n = shifted - 0x1.8p23f;
    const float r = __builtin_fmaf(n, 1.90465421e-9f, __builtin_fmaf(n, -0.693147182f, x));
    const float r2 = r*r;
    const float a = __builtin_fmaf(0.16666520f, r, 0.49999993f);
    const float b = __builtin_fmaf(0.00836878f, r, 0.04166839f);
    const float high = __builtin_fmaf(0.00138145f, r2, b);
    const float p = 1.0f + __builtin_fmaf(__builtin_fmaf(high, r2, a), r2, r);
    const float y = _scaled<uint32_t, 23>(p, shifted);
    const float z = x < -87.33654f ? 0.0f : y;
    return x > 88.7228394f ? INFINITY : z;
}
#else
static inline float _exp(const float x) { return std::exp(x); }
#endif
"""
