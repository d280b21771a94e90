{# What stands before a loop over neurons, of which none writes what another reads: the compiler cannot
   know that, and where there are many variables it does not look whether they overlap. #}
{% macro loop(variables, variable_indices) %}
{% if not independent(variables, variable_indices) %}
{{openmp_pragma('parallel-static')}}
{% elif openmp_pragma('with_openmp') %}
#pragma omp parallel for simd schedule(static)
{% else %}
#if defined(__clang__)
#pragma clang loop vectorize(assume_safety)
#elif defined(__GNUC__)
#pragma GCC ivdep
#endif
{% endif %}
{% endmacro %}
{# Stands in a loop that the compiler shall not make one for several neurons at once. #}
{% macro one_by_one() %}
#ifdef __GNUC__
__asm__ __volatile__("");
#endif
{% endmacro %}
