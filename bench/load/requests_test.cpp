#include "load/requests.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <set>

#include "domain/codec.hpp"
#include "load/answer.hpp"
#include "load/cpu.hpp"

namespace adtally::load {
namespace {

using ::testing::HasSubstr;

std::string body_of(const std::string& request) {
    return request.substr(request.find("\r\n\r\n") + 4);
}

RequestOptions request_options(std::size_t batch) {
    return RequestOptions{.host = "localhost:1", .path = "/p", .batch = batch, .seed = 5};
}

TEST(Requests, AreWellFormedAndTakenByACollector) {
    Requests requests{request_options(1)};
    domain::Decoder decoder;
    domain::Event event;
    std::set<std::string> ids;
    std::map<domain::EventType, int> types;
    TimestampMs now{1'705'320'202'123};
    std::string request;
    for (int i = 0; i < 20'000; ++i) {
        requests.next(now, request);
        std::string body = body_of(request);
        ASSERT_THAT(request, HasSubstr("Content-Length: " + std::to_string(body.size()) + "\r\n"));
        auto rejection = decoder.decode_client(body, 0, domain::UnknownFields::reject, now, event);
        ASSERT_FALSE(rejection) << rejection->message << body;
        ASSERT_EQ(event.timestamp, now);
        ids.insert(std::string(event.event_id));
        ++types[event.type];
    }
    EXPECT_EQ(ids.size(), 20'000u);
    EXPECT_NEAR(types[domain::EventType::click], 20'000 * 0.029, 200);
}

TEST(Requests, ABatchIsOneEventALine) {
    Requests requests{request_options(100)};
    std::string request;
    requests.next(TimestampMs{1'705'320'202'123}, request);
    std::string body = body_of(request);
    EXPECT_EQ(std::count(body.begin(), body.end(), '\n'), 100);
    EXPECT_EQ(requests.events_made(), 100u);
    EXPECT_THAT(request, HasSubstr("application/x-ndjson"));
}

TEST(Requests, ZipfPrefersTheFirstAdsAndUniformDoesNot) {
    for (Distribution distribution : {Distribution::zipf, Distribution::uniform}) {
        RequestOptions options = request_options(1);
        options.ads = 100;
        options.distribution = distribution;
        Requests requests{options};
        std::map<std::int64_t, int> ads;
        std::string request;
        for (int i = 0; i < 8'192; ++i) {
            requests.next(TimestampMs{0}, request);
            ++ads[boost::json::parse(body_of(request)).at("ad_id").as_int64()];
        }
        EXPECT_EQ(ads.size(), 100u);
        double share = ads[1] / 8'192.0;
        EXPECT_NEAR(share, distribution == Distribution::zipf ? 1 / 5.187 : 0.01, 0.02);
    }
}

TEST(Answer, IsCompleteWithItsLastByte) {
    std::string bytes =
        "HTTP/1.1 202 Accepted\r\nServer: x\r\ncontent-length: 17\r\n\r\n{\"accepted\":100,}";
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
        Answer answer;
        ASSERT_EQ(answer.feed(bytes.substr(0, cut)), Answer::State::incomplete) << cut;
        ASSERT_EQ(answer.feed(bytes.substr(cut)), Answer::State::complete) << cut;
        EXPECT_EQ(answer.status(), 202);
        EXPECT_EQ(answer.accepted(), 100);
        EXPECT_FALSE(answer.closes());
    }
}

TEST(Answer, RefusesWhatItCannotFrame) {
    auto state = [](std::string_view bytes) { return Answer{}.feed(bytes); };
    EXPECT_EQ(state("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
              Answer::State::malformed);
    EXPECT_EQ(state("HTTP/1.1 200 OK\r\n\r\n"), Answer::State::malformed);
    EXPECT_EQ(state("SSH-2.0-OpenSSH\r\n\r\n"), Answer::State::malformed);
    EXPECT_EQ(state("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"), Answer::State::malformed);
    EXPECT_EQ(state("HTTP/1.1 204 No Content\r\n\r\n"), Answer::State::complete);
}

TEST(Answer, SeesConnectionClose) {
    Answer answer;
    EXPECT_EQ(answer.feed("HTTP/1.1 503 X\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n"),
              Answer::State::complete);
    EXPECT_TRUE(answer.closes());
    EXPECT_EQ(answer.status(), 503);
    EXPECT_EQ(answer.accepted(), -1);
}

TEST(Cpu, ThreadsAreGroupedByName) {
    EXPECT_EQ(thread_group("col-io-0"), "col-io");
    EXPECT_EQ(thread_group("col-io-12"), "col-io");
    EXPECT_EQ(thread_group("log-commit"), "log-commit");
    EXPECT_EQ(thread_group("rocksdb:low"), "rocksdb");
    EXPECT_EQ(thread_group("rocksdb:high3"), "rocksdb");
    EXPECT_EQ(thread_group("7"), "unnamed");
}

TEST(Cpu, SeesItsOwnWork) {
    auto before = sample_cpu(::getpid());
    ASSERT_TRUE(before);
    for (std::uint64_t work = 0; work < 50'000'000; ++work) {
        asm volatile("" : "+r"(work));
    }
    auto after = sample_cpu(::getpid());
    ASSERT_TRUE(after);
    CpuUsage usage = usage_between(before.value(), after.value());
    EXPECT_GT(usage.seconds, 0);
    ASSERT_FALSE(usage.groups.empty());
    EXPECT_FALSE(sample_cpu(4'999'999));
}

}  // namespace
}  // namespace adtally::load
