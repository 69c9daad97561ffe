// What an event costs to read and to write. The controls are in the same run: the least that any
// code could do with the bytes (look at each, copy each), and Boost.JSON, which builds a tree.
#include <benchmark/benchmark.h>
#include <boost/json.hpp>
#include <cstring>
#include <string>

#include "domain/codec.hpp"
#include "domain/time_bucket.hpp"

namespace adtally::domain {
namespace {

constexpr TimestampMs now{1'705'327'410'000};

const std::string& client_event() {
    static const std::string json =
        R"({"event_id":"0190b6f3-7c1e-7a5b-9c0d-2f4e8a1b3c5d","type":"impression","ad_id":1,)"
        R"("campaign_id":1,"publisher_id":12,"slot_id":345,"session_id":"s-8f14e45f",)"
        R"("user_id":"u-77","timestamp":"2024-01-15T14:03:22.123Z","cost_micros":2500,)"
        R"("currency":"USD","page_url":"https://example.org/a","user_agent":"Mozilla/5.0",)"
        R"("ip":"203.0.113.7"})";
    return json;
}

std::string with_padding(std::string json) {
    return json.append(decode_padding, ' ');
}

Event complete_event(const std::string& input) {
    Decoder decoder;
    Event event;
    if (decoder.decode_client({input.data(), client_event().size()}, decode_padding,
                              UnknownFields::reject, now, event))
        std::abort();
    event.received_at = now;
    return event;
}

void count(benchmark::State& state, std::size_t bytes, std::size_t events = 1) {
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(events));
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

void control_look_at_each_byte(benchmark::State& state) {
    const std::string& json = client_event();
    for (auto _ : state)
        benchmark::DoNotOptimize(std::memchr(json.data(), '\x01', json.size()));
    count(state, json.size());
}
BENCHMARK(control_look_at_each_byte);

void control_copy_each_byte(benchmark::State& state) {
    const std::string& json = client_event();
    std::string copy(json.size(), ' ');
    for (auto _ : state) {
        std::memcpy(copy.data(), json.data(), json.size());
        benchmark::ClobberMemory();
    }
    count(state, json.size());
}
BENCHMARK(control_copy_each_byte);

void control_boost_json_parse(benchmark::State& state) {
    const std::string& json = client_event();
    for (auto _ : state) {
        boost::json::monotonic_resource memory;
        benchmark::DoNotOptimize(boost::json::parse(json, &memory));
    }
    count(state, json.size());
}
BENCHMARK(control_boost_json_parse);

void decode_client(benchmark::State& state) {
    const std::string input = with_padding(client_event());
    std::string_view json{input.data(), client_event().size()};
    Decoder decoder;
    Event event;
    for (auto _ : state) {
        bool refused =
            decoder.decode_client(json, decode_padding, UnknownFields::reject, now, event)
                .has_value();
        if (refused)
            state.SkipWithError("refused");
        benchmark::DoNotOptimize(event);
    }
    count(state, json.size());
}
BENCHMARK(decode_client);

void decode_stored(benchmark::State& state) {
    const std::string source = with_padding(client_event());
    std::string record;
    append_canonical(complete_event(source), record);
    const std::size_t size = record.size();
    record = with_padding(record);
    Decoder decoder;
    Event event;
    for (auto _ : state) {
        if (decoder.decode_stored({record.data(), size}, decode_padding, event))
            state.SkipWithError("refused");
        benchmark::DoNotOptimize(event);
    }
    count(state, size);
}
BENCHMARK(decode_stored);

void encode_canonical(benchmark::State& state) {
    const std::string source = with_padding(client_event());
    const Event event = complete_event(source);
    std::string out;
    for (auto _ : state) {
        out.clear();
        append_canonical(event, out);
        benchmark::DoNotOptimize(out.data());
    }
    count(state, out.size());
}
BENCHMARK(encode_canonical);

void decode_batch_of(benchmark::State& state, const std::string& body, std::size_t events) {
    const std::string input = with_padding(body);
    Decoder decoder;
    std::size_t seen = 0;
    for (auto _ : state) {
        seen = 0;
        auto each = [&](std::size_t, const Event&, const std::optional<Rejection>& rejection) {
            seen += rejection ? 0 : 1;
        };
        if (decoder.decode_batch({input.data(), body.size()}, decode_padding, UnknownFields::reject,
                                 now, events, each))
            state.SkipWithError("refused");
    }
    if (seen != events)
        state.SkipWithError("not all events were accepted");
    count(state, body.size(), events);
}

void decode_array_of_100(benchmark::State& state) {
    std::string body = "[";
    for (int event = 0; event < 100; ++event)
        body += (event == 0 ? "" : ",") + client_event();
    decode_batch_of(state, body + "]", 100);
}
BENCHMARK(decode_array_of_100);

void decode_100_lines(benchmark::State& state) {
    std::string body;
    for (int event = 0; event < 100; ++event)
        body += client_event() + "\n";
    decode_batch_of(state, body, 100);
}
BENCHMARK(decode_100_lines);

void next_uuid(benchmark::State& state) {
    UuidV7Generator generator{1};
    std::int64_t time = now.value * 1000;
    for (auto _ : state)
        benchmark::DoNotOptimize(generator.next(TimestampMs{++time / 1000}));
}
BENCHMARK(next_uuid);

void local_hour(benchmark::State& state) {
    auto zone = ReportingZone::from_name("Europe/Berlin");
    if (!zone)
        return state.SkipWithError("no time zone database");
    std::int64_t time = now.value;
    for (auto _ : state)
        benchmark::DoNotOptimize(zone->hour(TimestampMs{++time}));
}
BENCHMARK(local_hour);

}  // namespace
}  // namespace adtally::domain
