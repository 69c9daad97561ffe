// Who asks and how often: addresses, trusted proxies, the rate limit, trace ids.
#include <gtest/gtest.h>

#include <stdexcept>

#include "platform/http/client_address.hpp"
#include "platform/http/rate_limiter.hpp"
#include "platform/http/trace.hpp"

namespace adtally::http {

namespace {

IpAddress ip(std::string_view text) {
    return parse_ip(text).value();
}

std::string client_of(const TrustedProxies& proxies, std::string_view peer,
                      std::vector<HeaderField> fields) {
    return to_text(proxies.client_of(ip(peer), fields));
}

TEST(IpAddress, HoldsBothFamiliesInOneForm) {
    EXPECT_EQ(to_text(ip("192.0.2.1")), "192.0.2.1");
    EXPECT_EQ(to_text(ip("2001:DB8:0::1")), "2001:db8::1");
    EXPECT_EQ(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
    for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "::g", "a"})
        EXPECT_FALSE(parse_ip(bad).has_value()) << bad;
}

TEST(IpAddress, CountsAnIpv6ClientByItsNetwork) {
    EXPECT_EQ(limit_key(ip("2001:db8::1")), limit_key(ip("2001:db8::ffff:2")));
    EXPECT_FALSE(limit_key(ip("2001:db8::1")) == limit_key(ip("2001:db8:0:1::1")));
    EXPECT_FALSE(limit_key(ip("192.0.2.1")) == limit_key(ip("192.0.2.2")));
}

TEST(TrustedProxies, BelievesOnlyThem) {
    TrustedProxies proxies({"10.0.0.0/8", "2001:db8::/33", "192.0.2.7"});
    EXPECT_TRUE(proxies.trusts(ip("10.255.0.1")));
    EXPECT_TRUE(proxies.trusts(ip("::ffff:10.1.2.3")));
    EXPECT_TRUE(proxies.trusts(ip("2001:db8:7fff::1")));
    EXPECT_FALSE(proxies.trusts(ip("2001:db8:8000::1")));
    EXPECT_TRUE(proxies.trusts(ip("192.0.2.7")));
    EXPECT_FALSE(proxies.trusts(ip("192.0.2.8")));
    EXPECT_EQ(client_of(proxies, "203.0.113.1", {{"X-Forwarded-For", "198.51.100.1"}}),
              "203.0.113.1");
}

TEST(TrustedProxies, WalksFromTheRightToTheFirstStranger) {
    TrustedProxies proxies({"10.0.0.0/8"});
    EXPECT_EQ(client_of(proxies, "10.0.0.1", {}), "10.0.0.1");
    EXPECT_EQ(client_of(proxies, "10.0.0.1", {{"x-forwarded-for", "1.1.1.1, 2.2.2.2, 10.0.0.2"}}),
              "2.2.2.2");
    EXPECT_EQ(client_of(proxies, "10.0.0.1",
                        {{"X-Forwarded-For", "1.1.1.1,2.2.2.2"}, {"X-Forwarded-For", "10.0.0.9"}}),
              "2.2.2.2");
    EXPECT_EQ(client_of(proxies, "10.0.0.1", {{"X-Forwarded-For", "10.0.0.3, 10.0.0.2"}}),
              "10.0.0.3");
    EXPECT_EQ(client_of(proxies, "10.0.0.1", {{"X-Forwarded-For", "3.3.3.3:99"}}), "3.3.3.3");
    EXPECT_EQ(client_of(proxies, "10.0.0.1", {{"X-Forwarded-For", "[2001:db8::1]:99"}}),
              "2001:db8::1");
}

TEST(TrustedProxies, StopsAtTheLastGoodOneBeforeNonsense) {
    TrustedProxies proxies({"10.0.0.0/8"});
    EXPECT_EQ(client_of(proxies, "10.0.0.1", {{"X-Forwarded-For", "1.1.1.1, x, 10.0.0.2"}}),
              "10.0.0.2");
    EXPECT_EQ(client_of(proxies, "10.0.0.1", {{"X-Forwarded-For", ""}}), "10.0.0.1");
    EXPECT_EQ(client_of(proxies, "10.0.0.1", {{"X-Forwarded-For", "unknown"}}), "10.0.0.1");
}

TEST(TrustedProxies, RefusesWhatIsNoBlock) {
    for (const char* bad : {"", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/a", "proxy"})
        EXPECT_THROW(TrustedProxies({bad}), std::runtime_error) << bad;
}

struct RateLimiterTest : ::testing::Test {
    ManualClock clock{TimestampMs{0}};
    IpAddress client = ip("192.0.2.1");
};

TEST_F(RateLimiterTest, LetsABurstThroughAndThenTheRate) {
    RateLimiter limiter({.per_second = 10, .burst = 3});
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(limiter.admit(client, clock.steady()), 0);
    EXPECT_EQ(limiter.admit(client, clock.steady()), 1);
    clock.advance(Milliseconds{99});
    EXPECT_EQ(limiter.admit(client, clock.steady()), 1);
    clock.advance(Milliseconds{1});
    EXPECT_EQ(limiter.admit(client, clock.steady()), 0);
    EXPECT_EQ(limiter.admit(client, clock.steady()), 1);
    EXPECT_EQ(limiter.admit(ip("192.0.2.2"), clock.steady()), 0) << "each has its own";
}

TEST_F(RateLimiterTest, SaysHowLongToWait) {
    RateLimiter limiter({.per_second = 0.1, .burst = 1});
    EXPECT_EQ(limiter.admit(client, clock.steady()), 0);
    EXPECT_EQ(limiter.admit(client, clock.steady()), 10);
    clock.advance(Milliseconds{6'000});
    EXPECT_EQ(limiter.admit(client, clock.steady()), 4);
}

TEST_F(RateLimiterTest, StaysBoundedUnderCountlessAddresses) {
    RateLimiter limiter({.per_second = 1, .burst = 2, .max_entries = 160});
    for (int i = 0; i < 10'000; ++i) {
        IpAddress address = ip("10.0.0.0");
        address.bytes[14] = static_cast<std::uint8_t>(i >> 8);
        address.bytes[15] = static_cast<std::uint8_t>(i);
        EXPECT_EQ(limiter.admit(address, clock.steady()), 0);
        clock.advance(Milliseconds{1});
    }
    EXPECT_LE(limiter.entries(), 160u);
}

TEST(TraceContext, GoesOnWithTheCallersTrace) {
    IdGenerator ids(1);
    TraceContext trace;
    trace.start("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", ids);
    EXPECT_EQ(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    std::string parent(trace.traceparent());
    EXPECT_EQ(parent.size(), 55u);
    EXPECT_EQ(parent.substr(0, 36), "00-4bf92f3577b34da6a3ce929d0e0e4736-");
    EXPECT_NE(parent.substr(36, 16), "00f067aa0ba902b7") << "the span is ours";
    EXPECT_EQ(parent.substr(52), "-00");
}

TEST(TraceContext, BeginsATraceWhenThereIsNoneToGoOnWith) {
    IdGenerator ids(1);
    TraceContext trace;
    std::string before;
    for (std::optional<std::string_view> parent : std::vector<std::optional<std::string_view>>{
             std::nullopt, "", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
             "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
             "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
             "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
             "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
             "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01"}) {
        trace.start(parent, ids);
        std::string id(trace.trace_id());
        EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos) << id;
        EXPECT_NE(id, before);
        EXPECT_NE(id, "4bf92f3577b34da6a3ce929d0e0e4736");
        std::string text(trace.traceparent());
        EXPECT_EQ(text.substr(0, 3) + text[35] + text[52], "00---");
        before = id;
    }
}

}  // namespace

}  // namespace adtally::http
