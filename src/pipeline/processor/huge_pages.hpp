// An allocator for large tables that are read at random places: pages of 2 MiB where the kernel
// gives them, so that a look costs one miss instead of two, and growing few page faults.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace adtally::processor {

template <class T>
struct HugePages {
    using value_type = T;
    HugePages() = default;
    template <class Other>
    HugePages(const HugePages<Other>&) noexcept {}  // NOLINT(google-explicit-constructor): rebind

    T* allocate(std::size_t count) {
        const std::size_t bytes = count * sizeof(T);
        if (bytes < page_bytes)
            return static_cast<T*>(::operator new(bytes));
        void* memory =
            std::aligned_alloc(page_bytes, (bytes + page_bytes - 1) / page_bytes * page_bytes);
        if (memory == nullptr)
            throw std::bad_alloc{};
        (void)::madvise(memory, bytes, MADV_HUGEPAGE);  // a wish: without them it works as well
        return static_cast<T*>(memory);
    }
    void deallocate(T* memory, std::size_t count) noexcept {
        if (count * sizeof(T) < page_bytes)
            ::operator delete(memory);
        else
            std::free(memory);
    }
    friend bool operator==(const HugePages&, const HugePages&) { return true; }

private:
    static constexpr std::size_t page_bytes = 2u << 20;
};

}  // namespace adtally::processor
