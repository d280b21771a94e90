{# Who is over the threshold, in the order of the neurons.

   Blocks are compared first, several neurons at once, into marks; then the marks are read, 64 at
   once. One loop that compares and appends would take the neurons one by one. Each thread has a part
   of the neurons, and the same part of the event space; the parts are closed up in the end. #}
{# USES_VARIABLES { N } #}
{% extends 'common_group.cpp' %}
{% block extra_headers %}
#include <cstring>
{% endblock %}
{% block maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    const size_t _block = 256;
    const int _parts = {{openmp_pragma('get_num_threads')}};
    size_t _counts[_parts];
    {{openmp_pragma('parallel-static')}}
    for(int _part=0; _part<_parts; _part++)
    {
        const size_t _end = (size_t)N*(_part + 1)/_parts;
        size_t _first = (size_t)N*_part/_parts;
        int32_t *_found = {{_eventspace}} + _first;
        for(; _first<_end; _first+=_block)
        {
            const size_t _size = _end - _first < _block ? _end - _first : _block;
            alignas(64) char _marks[_block];
            {% if _uses_refractory %}
            int32_t *_new = _found;
            {% endif %}
            for(size_t _j=0; _j<_size; _j++)
            {
                const size_t _idx = _first + _j;
                const size_t _vectorisation_idx = _idx;
                {{vector_code|autoindent}}
                _marks[_j] = _cond;
            }
            for(size_t _j=_size; _j%64; _j++)
                _marks[_j] = 0;
            for(size_t _chunk=0; _chunk<_size; _chunk+=64)
            {
                uint64_t _eights[8];
                std::memcpy(_eights, _marks + _chunk, 64);
                if(!(_eights[0] | _eights[1] | _eights[2] | _eights[3] |
                     _eights[4] | _eights[5] | _eights[6] | _eights[7]))
                    continue;
                const size_t _end_chunk = _chunk + 64 < _size ? _chunk + 64 : _size;
                for(size_t _eight=_chunk; _eight<_end_chunk; _eight+=8)
                {
                    uint64_t _any;
                    std::memcpy(&_any, _marks + _eight, 8);
                    if(!_any) continue;
                    const size_t _until = _eight + 8 < _size ? _eight + 8 : _size;
                    for(size_t _j=_eight; _j<_until; _j++)
                    {
                        // Written in any case: a processor guesses wrong who it is.
                        *_found = _first + _j;
                        _found += _marks[_j];
                    }
                }
            }
            {% if _uses_refractory %}
            for(; _new<_found; _new++)
            {
                const size_t _idx = *_new;
                {{not_refractory}}[_idx] = false;
                {{lastspike}}[_idx] = {{t}};
            }
            {% endif %}
        }
        _counts[_part] = _found - ({{_eventspace}} + (size_t)N*_part/_parts);
    }
    size_t _count = _counts[0];
    for(int _part=1; _part<_parts; _part++)
    {
        std::memmove({{_eventspace}} + _count, {{_eventspace}} + (size_t)N*_part/_parts,
                     _counts[_part]*sizeof(int32_t));
        _count += _counts[_part];
    }
    {{_eventspace}}[N] = _count;
{% endblock %}

{% block after_code %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    {{_eventspace}}[N] = 0;
{% endblock %}
