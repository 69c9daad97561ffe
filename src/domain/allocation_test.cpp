// Counts what this executable allocates: reading and writing an event must take nothing.
#include <gtest/gtest.h>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>

#include "domain/catalogue.hpp"
#include "domain/metric_delta.hpp"
#include "domain/test_support.hpp"
#include "domain/time_bucket.hpp"

namespace {
std::atomic<std::int64_t> allocations{0};

void* counted(std::size_t size) {
    ++allocations;
    return std::malloc(size == 0 ? 1 : size);
}

// Not inlined: g++ would take new and free for a mismatch.
[[gnu::noinline]] void release(void* memory) {
    std::free(memory);
}
}  // namespace

void* operator new(std::size_t size) {
    if (void* memory = counted(size))
        return memory;
    throw std::bad_alloc{};
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return counted(size);
}
void* operator new[](std::size_t size) {
    return operator new(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return counted(size);
}
void operator delete(void* memory) noexcept {
    release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    release(memory);
}
void operator delete[](void* memory) noexcept {
    release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    release(memory);
}

namespace adtally::domain {
namespace {

TEST(Allocation, AnEventTakesNoneInTheSteadyState) {
    const std::string input{testing::example};
    const std::string escaped =
        testing::event_with(R"(,"user_id":"\u0061\"","attributes":{"k":""})");
    std::string batch;
    for (int line = 0; line < 20; ++line)
        batch += escaped + "\n";
    std::string record;
    Decoder decoder;
    Event event;
    UuidV7Generator ids{1};
    auto zone = ReportingZone::from_name("Asia/Shanghai");
    ASSERT_TRUE(zone);
    Catalogue catalogue;
    MetricDelta delta;
    int refused = 0;
    const Decoder::Each each = [&](std::size_t, const Event&, const std::optional<Rejection>& why) {
        refused += why ? 1 : 0;
    };
    auto one_event = [&] {
        for (const std::string& json : {std::cref(input), std::cref(escaped)}) {
            auto why = decoder.decode_client(json, 0, UnknownFields::reject, testing::now, event);
            refused += why ? 1 : 0;
            event.event_id = ids.next(testing::now);
            event.timestamp = event.received_at = testing::now;
            record.clear();
            append_canonical(event, record);
            refused += decoder.decode_stored(record, 0, event) ? 1 : 0;
            delta.add(event.type, catalogue.cost_of(event), to_nanos(event.value));
            zone->hour(event.timestamp);
        }
        auto why = decoder.decode_batch(batch, 0, UnknownFields::reject, testing::now, 20, each);
        refused += why ? 1 : 0;
    };
    one_event();  // makes the room

    const std::int64_t before = allocations;
    for (int round = 0; round < 1000; ++round)
        one_event();
    EXPECT_EQ(allocations - before, 0);
    EXPECT_EQ(refused, 0);
}

}  // namespace
}  // namespace adtally::domain
