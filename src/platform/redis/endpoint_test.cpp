#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/redis/client.hpp"

namespace adtally::redis {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Accepted {
    std::string url;
    Endpoint endpoint;
    std::string shown;
};

TEST(Endpoint, IsParsedAndShownWithoutItsPassword) {
    const std::vector<Accepted> table{
        {"redis://localhost", {"localhost", 6379, "", "", "", 0}, "redis://localhost:6379"},
        {"redis://10.0.0.1:6380", {"10.0.0.1", 6380, "", "", "", 0}, "redis://10.0.0.1:6380"},
        {"redis://h:1/", {"h", 1, "", "", "", 0}, "redis://h:1"},
        {"redis://h/15", {"h", 6379, "", "", "", 15}, "redis://h:6379/15"},
        {"redis://[::1]:7000/2", {"::1", 7000, "", "", "", 2}, "redis://[::1]:7000/2"},
        {"redis://:secret@h", {"h", 6379, "", "", "secret", 0}, "redis://h:6379"},
        {"redis://app:p%40ss%2Fw@h:9", {"h", 9, "", "app", "p@ss/w", 0}, "redis://h:9"},
        {"unix:///run/redis.sock",
         {"127.0.0.1", 6379, "/run/redis.sock", "", "", 0},
         "unix:///run/redis.sock"},
    };
    for (const Accepted& row : table) {
        const Result<Endpoint> parsed = parse_endpoint(row.url);
        ASSERT_TRUE(parsed) << row.url << ": " << parsed.error().message;
        EXPECT_EQ(parsed.value().host, row.endpoint.host) << row.url;
        EXPECT_EQ(parsed.value().port, row.endpoint.port) << row.url;
        EXPECT_EQ(parsed.value().unix_path, row.endpoint.unix_path) << row.url;
        EXPECT_EQ(parsed.value().user, row.endpoint.user) << row.url;
        EXPECT_EQ(parsed.value().password, row.endpoint.password) << row.url;
        EXPECT_EQ(parsed.value().database, row.endpoint.database) << row.url;
        EXPECT_EQ(to_string(parsed.value()), row.shown);
    }
}

TEST(Endpoint, IsRefusedWithTheReasonAndTheForms) {
    const std::vector<std::pair<std::string, std::string>> table{
        {"", "not a URL"},
        {"localhost:6379", "scheme"},
        {"http://h", "scheme"},
        {"rediss://h", "TLS"},
        {"redis://", "host"},
        {"redis://h:0", "port"},
        {"redis://h:65536", "port"},
        {"redis://h:x", "port"},
        {"redis://h:", "port"},
        {"redis://h/x", "database"},
        {"redis://h/-1", "database"},
        {"redis://h/1/2", "database"},
        {"redis://h/99999999999", "database"},
        {"redis://password@h", "colon"},
        {"redis://user:@h", "empty"},
        {"redis://h?db=1", "query"},
        {"unix://host/path", "absolute"},
        {"unix:///", "absolute"},
        {"unix:///" + std::string(200, 'x'), "too long"},
    };
    for (const auto& [url, reason] : table) {
        const Result<Endpoint> parsed = parse_endpoint(url);
        ASSERT_FALSE(parsed) << url;
        EXPECT_EQ(parsed.error().code, ErrorCode::invalid_argument) << url;
        EXPECT_THAT(parsed.error().message, HasSubstr(reason)) << url;
        EXPECT_THAT(parsed.error().message, HasSubstr("unix:///path")) << url;
    }
}

TEST(Endpoint, ARefusalDoesNotRepeatThePassword) {
    const Result<Endpoint> parsed = parse_endpoint("redis://app:hunter2@h/notanumber");
    ASSERT_FALSE(parsed);
    EXPECT_THAT(parsed.error().message, Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace adtally::redis
