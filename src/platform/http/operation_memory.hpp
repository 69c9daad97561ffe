// Memory for the one read that a connection has under way, so that waiting for the next request
// costs no allocation.
//
// Promise. Asio gives the memory of an operation back before it calls the handler or drops it, and
// the handler holds the connection: the memory outlives its use. A second operation beside the
// first, or one that is too large, is served by the heap.
// Threads. The loop's.
#pragma once

#include <array>
#include <cstddef>
#include <new>

namespace adtally::http {

class OperationMemory {
public:
    OperationMemory() = default;
    OperationMemory(const OperationMemory&) = delete;
    OperationMemory& operator=(const OperationMemory&) = delete;

    void* take(std::size_t bytes) {
        if (taken_ || bytes > room_.size())
            return ::operator new(bytes);
        taken_ = true;
        return room_.data();
    }
    void give_back(void* memory) {
        if (memory == room_.data())
            taken_ = false;
        else
            ::operator delete(memory);
    }

private:
    alignas(std::max_align_t) std::array<std::byte, 192> room_;
    bool taken_ = false;
};

template <class T>
class OperationAllocator {
public:
    using value_type = T;

    explicit OperationAllocator(OperationMemory& memory) : memory_(&memory) {}
    template <class U>
    OperationAllocator(const OperationAllocator<U>& other)  // NOLINT: implicit, as allocators are
        : memory_(other.memory()) {}

    T* allocate(std::size_t count) { return static_cast<T*>(memory_->take(count * sizeof(T))); }
    void deallocate(T* at, std::size_t) { memory_->give_back(at); }
    OperationMemory* memory() const { return memory_; }

    template <class U>
    bool operator==(const OperationAllocator<U>& other) const {
        return memory_ == other.memory();
    }

private:
    OperationMemory* memory_;
};

}  // namespace adtally::http
