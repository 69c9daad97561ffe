#include <gtest/gtest.h>
#include <boost/json.hpp>
#include <random>

#include "domain/test_support.hpp"

namespace adtally::domain {
namespace {

using testing::now;

// What stands behind the input must not decide, nor whether it had to be copied (of two things that
// are wrong it may decide which is named); and what is accepted must be JSON for another parser
// too.
TEST(DecoderProperty, AgreesWithItselfAndWithAnotherParserOnMutatedEvents) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    auto below = [&](std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random);
    };
    const std::string spice = "{}[]\",:\\0123456789.-eEtfn u\n\x01\x7F\xC3\xA9\xFF";
    Decoder decoder;
    Event event;
    int accepted = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string json{testing::example};
        for (std::size_t left = 1 + below(3); left > 0; --left) {
            std::size_t at = below(json.size());
            switch (below(4)) {
                case 0:
                    json[at] = spice[below(spice.size())];
                    break;
                case 1:
                    json.erase(at, 1 + below(4));
                    break;
                case 2:
                    json.insert(at, 1, spice[below(spice.size())]);
                    break;
                case 3:
                    json.insert(at, json.substr(below(json.size()), 1 + below(20)));
                    break;
            }
        }
        auto copied = decoder.decode_client(json, 0, UnknownFields::reject, now, event);
        for (char behind : {'}', '"', ' ', '1', ','}) {
            std::string roomy = json + std::string(decode_padding, behind);
            std::string_view input{roomy.data(), json.size()};
            auto in_place =
                decoder.decode_client(input, decode_padding, UnknownFields::reject, now, event);
            ASSERT_EQ(in_place.has_value(), copied.has_value())
                << json << " followed by " << behind;
        }
        if (!copied) {
            ++accepted;
            boost::json::error_code error;
            boost::json::parse(json, error);
            ASSERT_FALSE(error) << json;
        }
    }
    EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace adtally::domain
