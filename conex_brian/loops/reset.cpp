{# The statements of an event. A neuron occurs once among the events. #}
{# USES_VARIABLES { N } #}
{% extends 'common_group.cpp' %}
{% from 'independent.cpp' import loop with context %}
{% block maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    const int32_t *_events = {{_eventspace}};
    const int32_t _num_events = {{_eventspace}}[N];

    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    {{loop(variables, variable_indices)}}
    for(int32_t _index_events=0; _index_events<_num_events; _index_events++)
    {
        // vector code
        const size_t _idx = _events[_index_events];
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
    }
{% endblock %}
