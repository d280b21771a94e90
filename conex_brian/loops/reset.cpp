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

    {{openmp_pragma('parallel-static')}}
    {% if independent(variables, variable_indices) and not openmp_pragma('with_openmp') %}
    #pragma GCC ivdep
    {% endif %}
    for(int32_t _index_events=0; _index_events<_num_events; _index_events++)
    {
        // vector code
        const size_t _idx = _events[_index_events];
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
    }
{% endblock %}
