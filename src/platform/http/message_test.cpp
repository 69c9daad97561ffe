#include "platform/http/message.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace adtally::http {

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(Query, DecodesNamesAndValues) {
    EXPECT_EQ(query_parameter("a=1&b=x+y%21&c", "b"), "x y!");
    EXPECT_EQ(query_parameter("a=1&a=2", "a"), "1");
    EXPECT_EQ(query_parameter("%61d=7", "ad"), "7");
    EXPECT_EQ(query_parameter("a=b=c", "a"), "b=c");
}

TEST(Query, TellsAbsentFromEmpty) {
    EXPECT_EQ(query_parameter("a=&b", "a"), "");
    EXPECT_EQ(query_parameter("a=&b", "b"), "");
    EXPECT_EQ(query_parameter("a=&b", "c"), std::nullopt);
    EXPECT_EQ(query_parameter("", "a"), std::nullopt);
}

TEST(Query, GivesAllInOrder) {
    EXPECT_EQ(parse_query("b=2&a=1&&b=%20"), (Pairs{{"b", "2"}, {"a", "1"}, {"b", " "}}));
    EXPECT_EQ(parse_query(""), Pairs{});
}

TEST(Query, NeverGuessesAtAMalformedEscape) {
    for (const char* bad : {"a=%", "a=%1", "a=%g0", "%zz=1"})
        EXPECT_EQ(parse_query(bad), std::nullopt) << bad;
    EXPECT_EQ(query_parameter("a=%1", "a"), std::nullopt);
}

TEST(Query, BoundsTheNumberOfParameters) {
    std::string many;
    for (int i = 0; i < 1'001; ++i)
        many += "a=1&";
    EXPECT_EQ(parse_query(many), std::nullopt);
}

TEST(Percent, EncodesWhatIsReservedAndComesBack) {
    std::string all;
    for (int i = 0; i < 256; ++i)
        all += static_cast<char>(i);
    EXPECT_EQ(percent_encode("a b/c~"), "a%20b%2Fc~");
    EXPECT_EQ(percent_decode(percent_encode(all), false), all);
    EXPECT_EQ(percent_decode("a+b", false), "a+b");
}

TEST(Problem, IsReadableByCallersOfSpringBoot) {
    Request request;
    request.path = "/api/events";
    request.trace_id = "0123456789abcdef0123456789abcdef";
    Response response = problem(request, Problem{.status = 400,
                                                 .code = "field_invalid",
                                                 .detail = "must be \"positive\"",
                                                 .pointer = "#/ad_id"});
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(response.content_type, "application/problem+json");
    boost::json::object body = boost::json::parse(response.body).as_object();
    EXPECT_EQ(body["type"].as_string(), "about:blank");
    EXPECT_EQ(body["title"].as_string(), "Bad Request");
    EXPECT_EQ(body["error"].as_string(), "Bad Request");
    EXPECT_EQ(body["status"].as_int64(), 400);
    EXPECT_EQ(body["detail"].as_string(), "must be \"positive\"");
    EXPECT_EQ(body["instance"].as_string(), "/api/events");
    EXPECT_EQ(body["path"].as_string(), "/api/events");
    EXPECT_EQ(body["code"].as_string(), "field_invalid");
    EXPECT_EQ(body["traceId"].as_string(), "0123456789abcdef0123456789abcdef");
    EXPECT_EQ(body["timestamp"].as_string().size(), 24u);
    EXPECT_EQ(body["errors"].as_array()[0].as_object()["pointer"].as_string(), "#/ad_id");
}

TEST(Problem, StaysJsonWhateverTheClientSent) {
    Request request;
    request.path = "/\xff\"\\";
    Response response = problem(request, Problem{400, "x", "got \xc3\x28\n", {}});
    EXPECT_NO_THROW(boost::json::parse(response.body));
}

TEST(Problem, MapsEachErrorToOneStatus) {
    EXPECT_EQ(status_of(ErrorCode::invalid_argument), 400);
    EXPECT_EQ(status_of(ErrorCode::not_found), 404);
    EXPECT_EQ(status_of(ErrorCode::conflict), 409);
    EXPECT_EQ(status_of(ErrorCode::too_large), 413);
    EXPECT_EQ(status_of(ErrorCode::storage_full), 503);
    EXPECT_EQ(status_of(ErrorCode::internal), 500);
    Response overloaded = problem(Request{}, Error{ErrorCode::overloaded, "later"});
    EXPECT_EQ(overloaded.status, 503);
    EXPECT_EQ(overloaded.headers, (Pairs{{"Retry-After", "1"}}));
    Response internal = problem(Request{}, Error{ErrorCode::internal, "secret"});
    EXPECT_EQ(internal.body.find("secret"), std::string::npos);
}

TEST(Request, FindsTheFirstFieldWhateverItsCase) {
    std::vector<HeaderField> fields{{"Content-Type", "a"}, {"content-type", "b"}};
    Request request;
    request.headers = fields;
    EXPECT_EQ(request.header("CONTENT-TYPE"), "a");
    EXPECT_EQ(request.header("Content"), std::nullopt);
}

}  // namespace

}  // namespace adtally::http
