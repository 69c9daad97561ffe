// Whatever a network sends: translating ends, money stays in range, an event that comes out is one
// that the canonical form can hold and read back.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.hpp"
#include "domain/codec.hpp"
#include "domain/ids.hpp"
#include "pipeline/collector/postback.hpp"
#include "platform/http/message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace adtally;
    std::string_view query(reinterpret_cast<const char*>(data), size);
    if (auto micros = collector::parse_money(query))
        ADTALLY_ASSERT(*micros >= 0 && *micros <= domain::max_event_micros);

    auto parsed = http::parse_query(query);
    if (!parsed || parsed->size() > 64)
        return 0;
    collector::Parameters parameters = std::move(*parsed);
    if (collector::translate_postback(parameters))
        return 0;
    TimestampMs now{1'705'327'402'123};
    domain::Event event;
    auto rejection = collector::read_event(parameters, domain::EventType::conversion,
                                           domain::UnknownFields::keep, now, event);
    if (rejection)
        return 0;
    if (event.event_id.empty())
        event.event_id = "assigned";
    if (event.timestamp.value == 0)
        event.timestamp = now;
    event.received_at = now;
    std::string canonical;
    domain::append_canonical(event, canonical);
    domain::Decoder decoder;
    domain::Event read_back;
    ADTALLY_ASSERT(!decoder.decode_stored(canonical, 0, read_back));
    ADTALLY_ASSERT(read_back.event_id == event.event_id && read_back.value == event.value);
    return 0;
}
