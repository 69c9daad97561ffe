#include <gmock/gmock.h>

#include "domain/test_support.hpp"

namespace adtally::domain {
namespace {

using ::testing::ElementsAre;
using testing::event_with;
using testing::now;

// What a batch delivers, as lines, and how it ended.
struct Batch {
    std::vector<std::string> elements;
    std::string end;
};

Batch decode(std::string_view body, std::size_t max_events = 100,
             UnknownFields unknown = UnknownFields::reject) {
    Decoder decoder;
    Batch batch;
    auto each = [&](std::size_t index, const Event& event,
                    const std::optional<Rejection>& rejection) {
        std::string line = std::to_string(index) + " ";
        line += rejection ? testing::outcome(rejection) : std::string{event.session_id};
        batch.elements.push_back(std::move(line));
    };
    batch.end = testing::outcome(decoder.decode_batch(body, 0, unknown, now, max_events, each));
    return batch;
}

std::string event(std::string session) {
    return event_with(R"(,"session_id":")" + session + "\"");
}

TEST(DecoderBatch, AnArrayIsDeliveredInOrder) {
    Batch batch = decode(" [" + event("a") + " , " + event("b") + "," + event("c") + "]\n");
    EXPECT_THAT(batch.elements, ElementsAre("0 a", "1 b", "2 c"));
    EXPECT_EQ(batch.end, "accepted");
}

TEST(DecoderBatch, AnEmptyArrayIsNoError) {
    Batch batch = decode("[]");
    EXPECT_TRUE(batch.elements.empty());
    EXPECT_EQ(batch.end, "accepted");
}

TEST(DecoderBatch, AnEmptyBodyIsOne) {
    EXPECT_EQ(decode("").end, "malformed_json");
    EXPECT_EQ(decode(" \n\n").end, "malformed_json");
}

TEST(DecoderBatch, ARefusedElementDoesNotSpoilTheOthers) {
    for (const char* refused :
         {R"({"type":"click","ad_id":0,"x":[{"y":[1,2,{}]}],"z":{}})", "{}", "1", "null",
          "[{},[1]]", R"("text")", "true", R"({"attributes":{"a":{"b":[1,{"c":2}]},"d":1},"e":{}})",
          R"({"unknown":{"a":[[[]]]},"b":[]})", R"({"type":"click","type":{"a":1}})",
          R"({"session_id":"\ud800","x":{"y":1}})", R"({"ad_id":1.2.3,"x":[]})",
          R"({"\x":1,"y":{"z":[]}})", R"({"attributes":{"\x":{}},"y":{"z":[]}})"}) {
        Batch batch =
            decode("[" + event("a") + "," + refused + "," + event("b") + "," + refused + "]");
        ASSERT_EQ(batch.elements.size(), 4u) << refused;
        EXPECT_EQ(batch.elements[0], "0 a") << refused;
        EXPECT_EQ(batch.elements[2], "2 b") << refused;
        EXPECT_EQ(batch.elements[1].substr(1), batch.elements[3].substr(1)) << refused;
        EXPECT_EQ(batch.end, "accepted") << refused;
    }
}

TEST(DecoderBatch, ABrokenArrayIsRefusedAsAWhole) {
    const std::string good = event("a");
    for (const std::string& body : std::vector<std::string>{"[" + good,
                                                            "[" + good + ",",
                                                            "[" + good + ",]",
                                                            "[,]",
                                                            "[" + good + good + "]",
                                                            "[" + good + "]x",
                                                            "[\"a\":" + good + "]]",
                                                            "[" + good + "]]",
                                                            "[" + good + "][]",
                                                            "[" + good + ",,]",
                                                            "[" + good + "}",
                                                            "[{\"type\"}]",
                                                            "[{\"type\":}]",
                                                            "[{\"type\" 1}]",
                                                            "[{\"type\":1]",
                                                            "[{,}]",
                                                            "[:]",
                                                            "[" + good + ":" + good + "]",
                                                            "[\"" + good,
                                                            "[",
                                                            "[" + good + ",\"\x01\"]",
                                                            "[" + good + ",\"\xFF\"]",
                                                            "[{\"attributes\":{\"a\"}}]",
                                                            "[{\"attributes\":{\"a\":}}]"})
        EXPECT_EQ(decode(body).end, "malformed_json") << body;
}

TEST(DecoderBatch, WhatCameBeforeTheBreakHasBeenDelivered) {
    Batch batch = decode("[" + event("a") + "," + event("b") + " {}]");
    EXPECT_THAT(batch.elements, ElementsAre("0 a", "1 b"));
    EXPECT_EQ(batch.end, "malformed_json");
}

TEST(DecoderBatch, LinesFailOneByOne) {
    Batch batch =
        decode(event("a") + "\n\r\n  \n{\"broken\n" + event("b") + "\r\n[]\n\xFF\n" + event("c"));
    EXPECT_THAT(batch.elements, ElementsAre("0 a", "1 malformed_json", "2 b", "3 wrong_type",
                                            "4 malformed_json", "5 c"));
    EXPECT_EQ(batch.end, "accepted");
}

TEST(DecoderBatch, OneObjectIsABatchOfOne) {
    EXPECT_THAT(decode(event("a")).elements, ElementsAre("0 a"));
}

TEST(DecoderBatch, AnythingElseIsALineThatFails) {
    EXPECT_THAT(decode("hello\n").elements, ElementsAre("0 malformed_json"));
}

TEST(DecoderBatch, HasALimit) {
    std::string array = "[" + event("a") + "," + event("b") + "]";
    std::string lines = event("a") + "\n" + event("b") + "\n";
    EXPECT_EQ(decode(array, 2).end, "accepted");
    EXPECT_EQ(decode(lines, 2).end, "accepted");
    EXPECT_EQ(decode(array, 1).end, "too_long");
    EXPECT_EQ(decode(lines, 1).end, "too_long");
    EXPECT_THAT(decode(lines, 1).elements, ElementsAre("0 a"));
}

TEST(DecoderBatch, KeepsUnknownFieldsWhenAsked) {
    std::string body = "[" + event_with(R"(,"session_id":"s","x":1)") + "]";
    EXPECT_THAT(decode(body).elements, ElementsAre("0 unknown_field x"));
    EXPECT_THAT(decode(body, 9, UnknownFields::keep).elements, ElementsAre("0 s"));
}

TEST(DecoderBatch, TextsWithEscapesAreEachTheirOwn) {
    std::string body = "[";
    for (int index = 0; index < 1000; ++index)
        body += (index == 0 ? "" : ",") + event("\\u0061" + std::to_string(index));
    Batch batch = decode(body + "]", 1000);
    ASSERT_EQ(batch.elements.size(), 1000u);
    for (std::size_t index = 0; index < 1000; ++index)
        EXPECT_EQ(batch.elements[index], std::to_string(index) + " a" + std::to_string(index));
}

}  // namespace
}  // namespace adtally::domain
