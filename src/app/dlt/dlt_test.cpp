// The commands against an API that answers as it is told.
#include "app/dlt/dlt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <deque>
#include <sstream>
#include <string>
#include <vector>

namespace adtally::dlt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ToldApi final : public Api {
public:
    Result<boost::json::object> ask(const std::string& method, const std::string& path) override {
        asked.push_back(method + " " + path);
        if (answers.empty())
            return Error{ErrorCode::unavailable, "nothing more is answered"};
        auto answer = std::move(answers.front());
        answers.pop_front();
        return answer;
    }
    void answer(std::string_view json) {
        answers.emplace_back(boost::json::parse(json).as_object());
    }
    std::vector<std::string> asked;
    std::deque<Result<boost::json::object>> answers;
};

class Dlt : public testing::Test {
protected:
    ToldApi api;
    std::ostringstream out;
    std::ostringstream err;
};

std::string page(int redriven, const char* next, int failed = 0, int uncertain = 0, int cut = 0) {
    return R"({"redriven":)" + std::to_string(redriven) + R"(,"already":0,"uncertain":)" +
           std::to_string(uncertain) + R"(,"cut":)" + std::to_string(cut) + R"(,"failed":)" +
           std::to_string(failed) + R"(,"error":"full","next":)" + next + R"(,"ends":"700,3"})";
}

TEST_F(Dlt, ARedrivePassesTheEndsOfItsFirstPageOn) {
    api.answer(page(500, R"("0-500")"));
    api.answer(page(200, R"("1-0")"));
    api.answer(page(3, "null"));
    EXPECT_EQ(redrive(api, {.reason = "a b"}, out, err), 0);
    const std::string question =
        "POST /api/redrive?limit=500&reason=a%20b&dry_run=false&force=false";
    EXPECT_THAT(api.asked, ElementsAre(question, question + "&after=0-500&ends=700,3",
                                       question + "&after=1-0&ends=700,3"));
    EXPECT_THAT(out.str(), HasSubstr("703 redriven, 0 were before"));
}

TEST_F(Dlt, EveryLetterIsAskedForInSoManyWords) {
    api.answer(page(1, "null"));
    EXPECT_EQ(redrive(api, {.all = true, .dry_run = true}, out, err), 0);
    EXPECT_THAT(api.asked,
                ElementsAre("POST /api/redrive?limit=500&dry_run=true&force=false&all=true"));
    EXPECT_THAT(out.str(), HasSubstr("1 would be redriven"));
}

TEST_F(Dlt, WhichLettersIsSaidInOneWayOnly) {
    const DltOptions wrong[] = {{},
                                {.reason = "x", .ids = {"3-17"}},
                                {.reason = "x", .all = true},
                                {.ids = {"3-17"}, .all = true},
                                {.from = "1", .ids = {"3-17"}}};
    for (const DltOptions& options : wrong)
        EXPECT_EQ(redrive(api, options, out, err), 2);
    EXPECT_THAT(api.asked, IsEmpty());
    EXPECT_THAT(out.str(), IsEmpty());
}

TEST_F(Dlt, IdsAreRedrivenOneByOne) {
    api.answer(page(1, "null"));
    api.answer(page(0, "null"));
    EXPECT_EQ(redrive(api, {.ids = {"3-17", "3-18"}, .force = true}, out, err), 0);
    EXPECT_THAT(api.asked, ElementsAre("POST /api/redrive?id=3-17&dry_run=false&force=true",
                                       "POST /api/redrive?id=3-18&dry_run=false&force=true"));
}

TEST_F(Dlt, WhatIsLeftUndoneIsToldAndShowsInTheExitStatus) {
    api.answer(page(2, R"("0-500")", 1));
    EXPECT_EQ(redrive(api, {.all = true}, out, err), 1);
    EXPECT_EQ(api.asked.size(), 1u) << "what fails now fails for the rest too";
    EXPECT_THAT(err.str(), HasSubstr("full; repeat the command"));
    api.answer(page(2, "null", 0, 3));
    EXPECT_EQ(redrive(api, {.all = true}, out, err), 1);
    EXPECT_THAT(err.str(), HasSubstr("uncertain"));
    api.answer(page(2, "null", 0, 0, 4));
    EXPECT_EQ(redrive(api, {.all = true}, out, err), 1);
    EXPECT_THAT(err.str(), HasSubstr("4 hold only a part"));
}

TEST_F(Dlt, AQuestionThatIsRefusedIsTheCallersAndNoAnswerIsNot) {
    api.answers.emplace_back(Error{ErrorCode::invalid_argument, "from must be before to"});
    EXPECT_EQ(redrive(api, {.from = "2", .to = "1"}, out, err), 2);
    EXPECT_THAT(err.str(), HasSubstr("from must be before to"));
    EXPECT_EQ(list(api, {}, out, err), 1);
}

std::string letters(std::initializer_list<const char*> ids, const char* ends, bool more) {
    std::string json = R"({"letters":[)";
    for (const char* id : ids)
        json += (json.back() == '[' ? "" : ",") + (R"({"id":")" + std::string(id)) + "\"}";
    return json + R"(],"next":null,"ends":")" + ends + R"(","more":)" + (more ? "true}" : "false}");
}

TEST_F(Dlt, AListShowsTheNewestLast) {
    api.answer(letters({"1-9", "0-7"}, "7,9", true));
    api.answer(letters({}, "2,2", true));  // of many with another reason
    api.answer(letters({"0-1"}, "1,0", true));
    EXPECT_EQ(list(api, {.limit = 3, .as_json = true}, out, err), 0);
    EXPECT_EQ(out.str(), "{\"id\":\"0-1\"}\n{\"id\":\"0-7\"}\n{\"id\":\"1-9\"}\n");
    EXPECT_THAT(api.asked, ElementsAre("GET /api/dead-letters?order=newest&limit=3",
                                       "GET /api/dead-letters?order=newest&limit=1&ends=7,9",
                                       "GET /api/dead-letters?order=newest&limit=1&ends=2,2"));
}

TEST_F(Dlt, AListSaysWhetherThereAreMore) {
    api.answer(letters({"1-9"}, "0,9", true));
    EXPECT_EQ(list(api, {.limit = 1}, out, err), 0);
    EXPECT_THAT(out.str(), HasSubstr("1 dead letters, the newest"));
    api.answer(letters({}, "0,0", false));
    out.str("");
    EXPECT_EQ(list(api, {}, out, err), 0);
    EXPECT_EQ(out.str(), "0 dead letters\n");
}

TEST_F(Dlt, ShowSaysThatALetterWasCut) {
    api.answer(R"({"id":"3-17","written_at":"t","reason":"malformed_json","message":"m","key":"k",)"
               R"("value":"{","cut":true,"original_value_bytes":2000000,"original_key_bytes":1})");
    EXPECT_EQ(show(api, {.ids = {"3-17"}}, out, err), 0);
    EXPECT_THAT(out.str(), HasSubstr("has 2000000 bytes of value"));
    EXPECT_THAT(api.asked, ElementsAre("GET /api/dead-letters/3-17"));
}

}  // namespace
}  // namespace adtally::dlt
