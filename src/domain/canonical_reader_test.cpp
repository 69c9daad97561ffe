#include "domain/canonical_reader.hpp"

#include <gtest/gtest.h>

#include <random>

#include "domain/test_support.hpp"

namespace adtally::domain {
namespace {

using testing::canonical;
using testing::Decoding;
using testing::outcome;

bool read(std::string_view json, Event& into) {
    static CanonicalReader reader;
    static std::string roomy;  // the event's views live in it
    roomy.assign(json).append(decode_padding, '"');
    return reader.read({roomy.data(), json.size()}, into);
}

// What the collector stores of `json`.
std::string stored(std::string_view json) {
    Decoding decoding;
    EXPECT_EQ(outcome(decoding.client(json)), "accepted");
    Event event = decoding.event;
    event.event_id = "0190b6f3-7c1e-7a5b-9c0d-2f4e8a1b3c5d";
    event.timestamp = event.timestamp.value == 0 ? testing::now : event.timestamp;
    event.received_at = testing::now;
    return canonical(event);
}

TEST(CanonicalReader, ReadsWhatTheEncoderWrites) {
    Event event;
    for (const std::string& json :
         {stored(testing::example), stored(testing::event_with("")),
          stored(testing::event_with(R"(,"cost_micros":0)")),
          stored(testing::event_with(R"(,"user_agent":"é","attributes":{"a":"1","b":""})")),
          stored(testing::event_with(R"(,"timestamp":"2000-02-29T23:59:59.999Z")"))}) {
        ASSERT_TRUE(read(json, event)) << json;
        EXPECT_EQ(canonical(event), json);
    }
}

TEST(CanonicalReader, LeavesToOthersWhatIsWrittenOtherwise) {
    Event event;
    const std::string json = stored(testing::example);
    EXPECT_FALSE(read(" " + json, event));
    EXPECT_FALSE(read(json + " ", event));
    EXPECT_FALSE(read(json.substr(0, json.size() - 1), event));
    EXPECT_FALSE(read("", event));
    EXPECT_FALSE(read(stored(testing::event_with(R"(,"user_agent":"a\"b")")), event));
}

// A space in front is what only the general reader takes: whatever the other one reads, it reads
// too, to the same event.
TEST(CanonicalReader, AgreesWithTheGeneralReaderOnMutatedRecords) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    auto below = [&](std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random);
    };
    const std::string spice = "{}[]\",:\\0123456789.-TZUSD \x01\x7F\xC3\xA9\xFF";
    const std::array records{stored(testing::example), stored(testing::event_with("")),
                             stored(testing::event_with(R"(,"attributes":{"a":"1","b":"2"})"))};
    Event event;
    int accepted = 0;
    for (int round = 0; round < 100'000; ++round) {
        std::string json = records[below(records.size())];
        const std::size_t at = below(json.size());
        if (below(4) == 0)
            json.erase(at, 1 + below(3));
        else if (below(2) == 0)
            json.insert(at, 1, spice[below(spice.size())]);
        else
            json[at] = spice[below(spice.size())];
        if (!read(json, event))
            continue;
        ++accepted;
        Decoding general;
        ASSERT_EQ(outcome(general.stored(" " + json)), "accepted") << json;
        ASSERT_EQ(canonical(event), canonical(general.event)) << json;
    }
    EXPECT_GT(accepted, 10'000);
}

}  // namespace
}  // namespace adtally::domain
