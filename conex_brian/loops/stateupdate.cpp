{# A time step, or statements that are run regularly, for all neurons or synapses. #}
{# USES_VARIABLES { N } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.cpp' %}
{% from 'independent.cpp' import loop with context %}
{% block maincode %}
    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    // The number of synapses is known only when the program runs.
    const int _count = {{constant_or_scalar('N', variables['N'])}};
    {{loop(variables, variable_indices)}}
    for(int _idx=0; _idx<_count; _idx++)
    {
        // vector code
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
    }
{% endblock %}
