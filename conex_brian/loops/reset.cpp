{# The statements of an event, for several neurons at once where none writes what another reads.

   A neuron occurs once among the events, so neurons are independent as long as each keeps to its own
   values: not where a variable is linked to another group's. #}
{# USES_VARIABLES { N } #}
{% extends 'common_group.cpp' %}
{% block maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    const int32_t *_events = {{_eventspace}};
    const int32_t _num_events = {{_eventspace}}[N];

    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

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
    for(int32_t _index_events=0; _index_events<_num_events; _index_events++)
    {
        // vector code
        const size_t _idx = _events[_index_events];
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
    }
{% endblock %}
