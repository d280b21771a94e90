{# The statements of an event. A neuron occurs once among the events.

   What they touch is copied into buffers, several neurons are computed at once, and what has changed
   is copied back: to fetch and to scatter several numbers in one instruction takes processors longer,
   or they cannot. Buffers are filled up, so that no neuron is left to be computed alone. #}
{# USES_VARIABLES { N } #}
{% extends 'common_group.cpp' %}
{% from 'independent.cpp' import one_by_one %}
{% block maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    const int32_t *_events = {{_eventspace}};
    const int32_t _num_events = {{_eventspace}}[N];

    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    {% if independent(variables, variable_indices) and repeatable(variables) %}
    {% set arrays = touched(vector_code, variables, get_array_name) %}
    const int32_t _batch = 64, _lanes = 16;
    {{openmp_pragma('parallel-static')}}
    for(int32_t _first=0; _first<_num_events; _first+=_batch)
    {
        const int32_t _size = _num_events - _first < _batch ? _num_events - _first : _batch;
        const int32_t _filled = (_size + _lanes - 1)/_lanes*_lanes;
        {% for array in arrays %}
        alignas(64) {{array.type}} _buffer{{array.pointer}}[_batch];
        {% endfor %}
        for(int32_t _j=0; _j<_filled; _j++)
        {
            {{one_by_one()}}
            const size_t _idx = _events[_first + (_j < _size ? _j : _size - 1)];
            {% for array in arrays if array.read %}
            _buffer{{array.pointer}}[_j] = {{array.pointer}}[_idx];
            {% endfor %}
        }
        {
            {% for array in arrays %}
            {{array.type}} *__restrict {{array.pointer}} = _buffer{{array.pointer}};
            {% endfor %}
            for(int32_t _idx=0; _idx<_filled; _idx++)
            {
                // vector code
                const size_t _vectorisation_idx = _idx;
                {{vector_code|autoindent}}
            }
        }
        for(int32_t _j=0; _j<_size; _j++)
        {
            {{one_by_one()}}
            const size_t _idx = _events[_first + _j];
            {% for array in arrays if array.written %}
            {{array.pointer}}[_idx] = _buffer{{array.pointer}}[_j];
            {% endfor %}
        }
    }
    {% else %}
    {{openmp_pragma('parallel-static')}}
    for(int32_t _index_events=0; _index_events<_num_events; _index_events++)
    {
        // vector code
        const size_t _idx = _events[_index_events];
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
    }
    {% endif %}
{% endblock %}
