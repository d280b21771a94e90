// The limit of `speed.py`: a neuron's step, threshold and reset in one loop.
//
//     fused MODEL METHOD NEURONS WARM_UP STEPS FILE
//
// MODEL: LIF, ELIF, AELIF. METHOD: exact (LIF), euler, rk2, rk4. FILE: doubles: dt and the parameters
// in the order of `Parameters`, the number of different neurons, their v and their I. Prints the
// seconds of the timed steps, and the spikes of all steps.

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

struct Parameters {
    double dt, R, threshold, tau, v_reset, v_rest, delta, theta_rh, alpha, beta, w_tau;
};

enum Model { LIF, ELIF, AELIF };
enum Method { EXACT, EULER, RK2, RK4 };

template <Model model>
static inline void rates(const Parameters &p, double v, double w, double I, double &dv, double &dw)
{
    v = v < p.threshold ? v : p.threshold;
    double sum = p.v_rest - v + p.R * I;
    if (model != LIF) sum += p.delta * std::exp((v - p.theta_rh) / p.delta);
    if (model == AELIF) sum -= p.R * w;
    dv = p.dt / p.tau * sum;
    dw = model == AELIF ? p.dt / p.w_tau * (p.alpha * (v - p.v_rest) - w) : 0;
}

template <Model model, Method method>
__attribute__((noinline)) static long run(const Parameters p, int n, long steps, double *__restrict v, double *__restrict w,
                const double *__restrict I)
{
    const double decay = std::exp(-p.dt / p.tau);
    long spikes = 0;
    for (long step = 0; step < steps; step++) {
        int count = 0;
        for (int i = 0; i < n; i++) {
            double x = v[i], y = model == AELIF ? w[i] : 0;
            double a, b, c, d, e, f, g, h;
            if (method == EXACT) {
                const double u = p.v_rest + p.R * I[i];
                x = u + (x - u) * decay;
            } else {
                rates<model>(p, x, y, I[i], a, b);
                if (method == EULER) {
                    x += a;
                    y += b;
                } else if (method == RK2) {
                    rates<model>(p, x + 0.5 * a, y + 0.5 * b, I[i], c, d);
                    x += c;
                    y += d;
                } else {
                    rates<model>(p, x + 0.5 * a, y + 0.5 * b, I[i], c, d);
                    rates<model>(p, x + 0.5 * c, y + 0.5 * d, I[i], e, f);
                    rates<model>(p, x + e, y + f, I[i], g, h);
                    x += (a + 2 * c + 2 * e + g) / 6;
                    y += (b + 2 * d + 2 * f + h) / 6;
                }
            }
            const bool spike = x >= p.threshold;
            v[i] = spike ? p.v_reset : x;
            if (model == AELIF) w[i] = y + (spike ? p.beta : 0);
            count += spike;
        }
        spikes += count;
    }
    return spikes;
}

template <Model model>
static long run(const char *method, const Parameters &p, int n, long steps, double *v, double *w,
                const double *I)
{
    if (!std::strcmp(method, "exact")) return run<LIF, EXACT>(p, n, steps, v, w, I);
    if (!std::strcmp(method, "euler")) return run<model, EULER>(p, n, steps, v, w, I);
    if (!std::strcmp(method, "rk2")) return run<model, RK2>(p, n, steps, v, w, I);
    return run<model, RK4>(p, n, steps, v, w, I);
}

int main(int, char **argv)
{
    const char *model = argv[1], *method = argv[2];
    const int n = std::atoi(argv[3]);
    const long warm_up = std::atol(argv[4]), steps = std::atol(argv[5]);
    std::FILE *file = std::fopen(argv[6], "rb");
    Parameters p;
    double sets;
    if (!file || std::fread(&p, sizeof p, 1, file) != 1 || std::fread(&sets, 8, 1, file) != 1)
        return 1;
    const int m = int(sets);
    std::vector<double> v0(m), I0(m), v(n), w(n), I(n);
    if (std::fread(v0.data(), 8, m, file) != size_t(m) || std::fread(I0.data(), 8, m, file) != size_t(m))
        return 1;
    for (int i = 0; i < n; i++) {
        v[i] = v0[i % m];
        I[i] = I0[i % m];
    }
    long spikes = 0;
    double seconds = 0;
    for (const long count : {warm_up, steps}) {
        const auto started = std::chrono::steady_clock::now();
        if (!std::strcmp(model, "LIF"))
            spikes += run<LIF>(method, p, n, count, v.data(), w.data(), I.data());
        else if (!std::strcmp(model, "ELIF"))
            spikes += run<ELIF>(method, p, n, count, v.data(), w.data(), I.data());
        else
            spikes += run<AELIF>(method, p, n, count, v.data(), w.data(), I.data());
        seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    }
    std::printf("%.9g %ld\n", seconds, spikes);
}
