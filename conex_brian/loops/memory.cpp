{# Memory, of which arrays begin where a cache line does: what a processor reads or writes at once then
   never lies in two. The C library puts large ones 16 bytes after one. #}
#include <cstdlib>
#include <new>

void *operator new(std::size_t size)
{
    const std::size_t line = 64;
    void *memory = nullptr;
    if(size < 8*line)
        memory = std::malloc(size ? size : 1);
    else if(posix_memalign(&memory, line, size))
        memory = nullptr;
    if(!memory) throw std::bad_alloc();
    return memory;
}

void operator delete(void *memory) noexcept
{
    std::free(memory);
}
