// Each parameter that a request may and may not have.
#include "pipeline/processor/operations/questions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace adtally::operations {
namespace {

using testing::HasSubstr;

http::Request get(std::string_view query) {
    http::Request request;
    request.method = http::Method::get;
    request.query = query;
    return request;
}

http::Request post(std::string_view query) {
    http::Request request = get(query);
    request.method = http::Method::post;
    return request;
}

template <class Question>
std::string refusal(const Result<Question>& question) {
    if (question)
        return "it is taken";
    EXPECT_EQ(question.error().code, ErrorCode::invalid_argument);
    return question.error().message;
}

TEST(Questions, AListIsAskedForByReasonTimeAndPlace) {
    const auto asked =
        list_question(get("reason=malformed_json&from=2024-01-15T14:00:00Z&to=1705327402123"
                          "&after=3-17&limit=7&ends=5,0,9&order=position"))
            .value();
    EXPECT_EQ(asked.filter.reason, "malformed_json");
    EXPECT_EQ(asked.filter.from, TimestampMs{1'705'327'200'000});
    EXPECT_EQ(asked.filter.to, TimestampMs{1'705'327'402'123});
    EXPECT_EQ(to_string(asked.first), "3-17");
    EXPECT_EQ(asked.limit, 7u);
    EXPECT_EQ(asked.ends, (Ends{Offset{5}, Offset{0}, Offset{9}}));
    EXPECT_FALSE(asked.newest);
    EXPECT_TRUE(list_question(get("order=newest&ends=5")).value().newest);
    EXPECT_EQ(list_question(get("")).value().limit, 100u);
}

TEST(Questions, WhatAListCannotBeAskedIsRefusedByName) {
    const std::pair<const char*, const char*> rows[] = {
        {"resaon=x", "'resaon'; allowed are: reason, from, to"},
        {"reason=", "reason is empty"},
        {"reason=%zz", "malformed percent escape"},
        {"reason=a&reason=b", "reason is given twice"},
        {"from=noon", "from must be a time"},
        {"to=", "to is empty"},
        {"from=2&to=2", "from must be before to"},
        {"limit=0", "limit must be an integer from 1 to 500"},
        {"limit=501", "limit must be"},
        {"after=3", "after must be a partition and an offset"},
        {"ends=1,", "ends must be offsets"},
        {"ends=a", "ends must be offsets"},
        {"order=oldest", "order must be position or newest"},
        {"order=newest&after=0-1", "after goes with order=position"},
        {"id=3-17", "'id'"},
    };
    for (const auto& [query, why] : rows)
        EXPECT_THAT(refusal(list_question(get(query))), HasSubstr(why)) << query;
}

TEST(Questions, ARedriveNamesWhatItActsOn) {
    const auto one = redrive_question(post("id=3-17&dry_run=true&force=false")).value();
    EXPECT_EQ(to_string(one.id.value()), "3-17");
    EXPECT_TRUE(one.wish.dry_run);
    EXPECT_FALSE(one.wish.force);
    const auto some = redrive_question(post("reason=x&after=1-2&ends=4,4&limit=9")).value();
    EXPECT_FALSE(some.id.has_value());
    EXPECT_EQ(some.filter.reason, "x");
    EXPECT_EQ(to_string(some.first), "1-2");
    EXPECT_TRUE(redrive_question(post("all=true")).has_value());
    const std::pair<const char*, const char*> rows[] = {
        {"", "which letters? give id, reason, from or to, or all=true"},
        {"dry_run=true", "which letters?"},
        {"all=false", "which letters?"},
        {"all=true&reason=x", "all=true goes without reason"},
        {"dryrun=true&reason=x", "there is no parameter 'dryrun'"},
        {"reason=x&dry_run=%", "malformed percent escape"},
        {"reason=x&dry_run=yes", "dry_run must be true or false"},
        {"reason=x&force=perhaps", "force must be true or false"},
        {"id=%zz", "malformed percent escape"},
        {"id=", "id is empty"},
        {"id=17", "id must be a partition and an offset, such as 3-17"},
        {"id=3-17&reason=x", "id names one letter and goes without reason"},
        {"id=3-17&all=true", "goes without all"},
        {"id=3-17&limit=5", "goes without limit"},
        {"from=5&to=4", "from must be before to"},
        {"reason=x&order=newest", "'order'"},
    };
    for (const auto& [query, why] : rows)
        EXPECT_THAT(refusal(redrive_question(post(query))), HasSubstr(why)) << query;
}

TEST(Questions, AFormIsReadAndAnyOtherBodyIsRefused) {
    const std::vector<http::HeaderField> form{
        {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
    http::Request request = post("reason=x");
    request.body = "dry_run=true";
    request.headers = form;
    EXPECT_TRUE(redrive_question(request).value().wish.dry_run);
    request.body = "reason=y";
    EXPECT_THAT(refusal(redrive_question(request)), HasSubstr("reason is given twice"));
    request.body = "dryrun=true";
    EXPECT_THAT(refusal(redrive_question(request)), HasSubstr("'dryrun'"));
    const std::vector<http::HeaderField> json{{"Content-Type", "application/json"}};
    request.headers = json;
    request.body = R"({"dry_run":true})";
    EXPECT_THAT(refusal(redrive_question(request)), HasSubstr("a body is only taken"));
    http::Request list = get("");
    list.headers = form;
    list.body = "reason=x";
    EXPECT_THAT(refusal(list_question(list)), HasSubstr("a body is only taken"));
}

TEST(Questions, ATraceIsOfAnEventAndALetterHasAPlace) {
    const std::vector<std::string> event{"mine"};
    http::Request request = get("ad_id=7&from=1&to=2");
    request.path_parameters = event;
    const auto asked = trace_question(request).value();
    EXPECT_EQ(asked.event_id, "mine");
    EXPECT_EQ(asked.ad, std::optional<std::int64_t>{7});
    for (const char* query : {"ad_id=0", "ad=7", "from=2&to=1", "from=%"}) {
        request.query = query;
        EXPECT_THAT(refusal(trace_question(request)), testing::Not(HasSubstr("taken"))) << query;
    }
    const std::vector<std::string> place{"3-17"};
    request.path_parameters = place;
    request.query = "";
    EXPECT_EQ(to_string(letter_question(request).value()), "3-17");
    request.query = "x=1";
    EXPECT_THAT(refusal(letter_question(request)), HasSubstr("allowed are: none"));
}

}  // namespace
}  // namespace adtally::operations
