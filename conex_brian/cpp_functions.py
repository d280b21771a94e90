"""C++ functions that compilers take several numbers at once through, on any C library.

Those of the C library are called for eight numbers at once at best, and then a caller keeps nothing
in its registers; these become part of the loop that uses them.
"""

from __future__ import annotations

#: A maximum and a minimum, which processors have instructions for; nan stays nan, as in numpy.
#: Bounds that are whole numbers are hidden from the compiler: of constants gcc makes comparisons.
CLIP = """
template <typename T> struct _bound { typedef double type; };
template <> struct _bound<float> { typedef float type; };
static inline double _opaque(double x)
{
#ifdef __GNUC__
    __asm__("" : "+m"(x));
#endif
    return x;
}
static const double _unity = _opaque(1.0);
template <typename T> static inline double _hidden(const T x) { return x; }
static inline double _hidden(const int x) { return x*_unity; }
template <typename T, typename Low, typename High>
static inline T _clip(const T value, const Low lowest, const High highest)
{
    typedef typename _bound<T>::type Bound;
    const Bound low = _hidden(lowest), high = _hidden(highest);
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

#: The logarithm: ``log(x) = n*log(2) + log(m)`` with ``m`` between the roots of 1/2 and of 2. With
#: ``f = m - 1``, which is exact, and ``s = f/(2 + f)``, ``log(m)`` is ``f - s*(f - r)``, where
#: ``r`` is a series in ``s**2`` (that of ``atanh``, with the coefficients of least relative error:
#: 1.3e-18). Bits are added and cut off so that ``n`` comes as a whole number above ``2**52``.
#: Numbers below the smallest normal one are zero.
LOG = """
#if defined(__FMA__) || defined(__FP_FAST_FMA) || defined(__ARM_FEATURE_FMA)
static inline double _log(const double x)
{
    uint64_t bits, whole;
    __builtin_memcpy(&bits, &x, sizeof bits);
    const uint64_t above = bits - 0x3fe6a09e667f3bcd;
    whole = ((above + 0x4000000000000000) >> 52) | 0x4330000000000000;
    bits -= above & 0xfff0000000000000;
    double m, n;
    __builtin_memcpy(&m, &bits, sizeof m);
    __builtin_memcpy(&n, &whole, sizeof n);
    n -= 4503599627371520.0;
    const double f = m - 1.0;
    const double s = f/(2.0 + f);
    const double s2 = s*s, s4 = s2*s2;
    const double a = __builtin_fma(0.39999999999416463, s2, 0.6666666666666734);
    const double b = __builtin_fma(0.22222198613206925, s2, 0.2857142874199361);
    const double c = __builtin_fma(0.15314102527011259, s2, 0.18183562269913828);
    const double high = __builtin_fma(0.1479543598515909, s4, c);
    const double r = s2*__builtin_fma(__builtin_fma(high, s4, b), s4, a);
    const double low = __builtin_fma(n, 2.3190468138462996e-17, s*(r - f));
    const double y = __builtin_fma(n, 0.6931471805599453, f + low);
    const double z = x < 2.2250738585072014e-308 ? -(double)INFINITY : y;
    const double w = x < 0 ? (double)NAN : z;
    return x <= 1.7976931348623157e308 ? w : x;
}
#else
static inline double _log(const double x) { return std::log(x); }
#endif
template <typename T>
static inline double _log(const T x) { return _log((double)x); }
static inline float _log(const float x) { return std::log(x); }
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
