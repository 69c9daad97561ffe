// Any bytes as the parameters of a pixel: NAME=VALUE, one a line. What set_field accepts must be
// accepted again when it comes back as a stored record, and the other parsers of text must not
// read outside of it.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/assert.hpp"
#include "domain/codec.hpp"
#include "domain/time_bucket.hpp"
#include "domain/time_zone_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace adtally;
    using namespace adtally::domain;
    constexpr TimestampMs now{1'705'327'410'000};
    std::string_view input{reinterpret_cast<const char*>(data), size};
    Event event;
    event.event_id = "e";
    event.ad_id = AdId{1};
    event.campaign_id = CampaignId{1};
    event.timestamp = now;
    event.received_at = now;
    for (std::string_view rest = input; !rest.empty();) {
        std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        std::size_t equals = std::min(line.find('='), line.size());
        std::string_view value = line.substr(std::min(line.size(), equals + 1));
        auto rejection = set_field(event, line.substr(0, equals), value);
        ADTALLY_ASSERT(!rejection || is_printable_utf8(rejection->message));
        if (auto time = parse_rfc3339(value)) {
            std::string written;
            append_rfc3339(*time, written);
            ADTALLY_ASSERT(parse_rfc3339(written).has_value());
        }
    }
    std::string record;
    append_canonical(event, record);
    static Decoder decoder;
    Event again;
    ADTALLY_ASSERT(!decoder.decode_stored(record, 0, again));
    std::string second;
    append_canonical(again, second);
    ADTALLY_ASSERT(second == record);

    if (auto day = parse_day(input))
        ADTALLY_ASSERT(format_day(*day) == input);
    if (auto rule = PosixTimeRule::parse(input))
        ADTALLY_ASSERT(rule->at(now.value / 1000).from < rule->at(now.value / 1000).until);
    if (auto zone = TimeZoneFile::parse(input))
        ADTALLY_ASSERT(zone->at(0).from <= 0 && zone->at(0).until > 0);
    return 0;
}
