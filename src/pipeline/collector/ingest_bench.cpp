// CPU of one event through the collector, without sockets and with a log that completes at once.
// The control in the same run is the decoder alone: what any collector of JSON has to spend.
#include <benchmark/benchmark.h>

#include "pipeline/collector/test_support.hpp"

namespace adtally::collector {
namespace {

const std::string event =
    R"({"type":"impression","ad_id":1042,"campaign_id":77,"publisher_id":12,"slot_id":345,)"
    R"("session_id":"s-8f14e45fceea167a","user_id":"u-77","timestamp":"2024-01-15T14:03:22.123Z",)"
    R"("cost_micros":2500,"page_url":"https://news.example/politics/2024/01/15/a-long-headline"})";

std::string array_of(int events) {
    std::string body = "[";
    for (int i = 0; i < events; ++i)
        body += (i == 0 ? "" : ",") + event;
    return body + "]";
}

class NullProducer final : public eventlog::Producer {
public:
    void append(std::string_view, eventlog::RecordBatch batch, eventlog::AppendDone done) override {
        benchmark::DoNotOptimize(batch.byte_size());
        done(ok());
    }
    eventlog::LogHealth health() const override { return {}; }
    std::size_t max_record_bytes() const override { return 1'000'000; }
};

class NullSink final : public http::ResponseSink {
public:
    void respond(http::Response response) override {
        benchmark::DoNotOptimize(response.body.data());
        last_status = response.status;
    }
    std::shared_ptr<http::BodyStream> stream(http::Response) override { return nullptr; }
    int last_status = 0;
};

struct Setup {
    explicit Setup(std::string path, std::string content)
        : body(std::move(content) + std::string(domain::decode_padding, ' ')) {
        for (http::Route& route : collector.routes()) {
            if (route.path == path && route.method == http::Method::post)
                handler = route.handler;
        }
        request.method = http::Method::post;
        request.path = "/api/events";
        request.body = std::string_view(body).substr(0, body.size() - domain::decode_padding);
        request.body_padding = domain::decode_padding;
        request.headers = fields;
        request.client_ip = "203.0.113.9";
    }

    static constexpr http::HeaderField fields[]{
        {"Host", "collector.example"},
        {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"},
        {"Accept", "*/*"},
        {"Content-Type", "application/json"},
        {"Content-Length", "270"}};
    SystemClock clock;
    observability::MetricRegistry metrics{"data-collector"};
    FakeRealtimeStore store;
    Realtime realtime{store, clock, metrics, Milliseconds{250}};
    NullProducer log;
    Collector collector{{}, log, clock, metrics, realtime};
    std::string body;
    http::Request request;
    http::Handler handler;
    std::shared_ptr<NullSink> sink = std::make_shared<NullSink>();
};

void run(benchmark::State& state, Setup& setup, int events) {
    for (auto _ : state)
        setup.handler(setup.request, http::Responder(setup.sink));
    if (setup.sink->last_status != 202)
        state.SkipWithError("the collector did not answer 202");
    state.SetItemsProcessed(state.iterations() * events);
}

void single_event(benchmark::State& state) {
    Setup setup("/api/events", event);
    run(state, setup, 1);
}
BENCHMARK(single_event);

void batch_of_100(benchmark::State& state) {
    Setup setup("/api/events/batch", array_of(100));
    run(state, setup, 100);
}
BENCHMARK(batch_of_100);

void control_decode_single(benchmark::State& state) {
    Setup setup("/api/events", event);
    domain::Decoder decoder;
    domain::Event decoded;
    TimestampMs now = setup.clock.wall();
    for (auto _ : state) {
        auto rejection = decoder.decode_client(setup.request.body, setup.request.body_padding,
                                               domain::UnknownFields::reject, now, decoded);
        benchmark::DoNotOptimize(rejection);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(control_decode_single);

void control_decode_batch_of_100(benchmark::State& state) {
    Setup setup("/api/events/batch", array_of(100));
    domain::Decoder decoder;
    TimestampMs now = setup.clock.wall();
    std::size_t valid = 0;
    for (auto _ : state) {
        auto rejection = decoder.decode_batch(
            setup.request.body, setup.request.body_padding, domain::UnknownFields::reject, now,
            5'000, [&](std::size_t, const domain::Event&, const auto& invalid) {
                valid += invalid ? 0 : 1;
            });
        benchmark::DoNotOptimize(rejection);
    }
    benchmark::DoNotOptimize(valid);
    state.SetItemsProcessed(state.iterations() * 100);
}
BENCHMARK(control_decode_batch_of_100);

}  // namespace
}  // namespace adtally::collector
