// Any bytes as one event, as a batch, as a stored record. Beside the sanitizers:
//
// - what is accepted, once completed and encoded, is read back as a stored record and encodes to
//   the same bytes;
// - what a client may send is JSON for another parser too;
// - the bytes behind the input do not decide whether it is accepted;
// - a stored record is the same event to both of its readers.
#include <boost/json.hpp>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "base/assert.hpp"
#include "domain/codec.hpp"

namespace {

using namespace adtally;
using namespace adtally::domain;

constexpr TimestampMs now{1'705'327'410'000};

std::string canonical(Event event) {
    if (event.event_id.empty())
        event.event_id = "0190b6f3-7c1e-7a5b-9c0d-2f4e8a1b3c5d";
    if (event.timestamp.value == 0)
        event.timestamp = now;
    if (event.received_at.value == 0)
        event.received_at = now;
    std::string text;
    append_canonical(event, text);
    return text;
}

void check_round_trip(const Event& event) {
    static Decoder decoder;
    static Event again;
    std::string first = canonical(event);
    ADTALLY_ASSERT(!decoder.decode_stored(first, 0, again));
    ADTALLY_ASSERT(canonical(again) == first);
}

// With a space in front only the general reader takes it.
void check_readers_agree(std::string_view record, bool accepted, const Event& event) {
    static Decoder decoder;
    static Event general;
    const std::string spaced = " " + std::string{record};
    const bool accepted_too = !decoder.decode_stored(spaced, 0, general);
    ADTALLY_ASSERT(accepted_too == accepted);
    ADTALLY_ASSERT(!accepted || canonical(general) == canonical(event));
}

void check_json(std::string_view text) {
    boost::json::error_code error;
    boost::json::parse(text, error);
    ADTALLY_ASSERT(!error);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Decoder decoder;
    static Event event;
    std::string_view input{reinterpret_cast<const char*>(data), size};
    // Exactly as much room as is promised, so that the sanitizer sees one byte more.
    auto room = std::make_unique<char[]>(size + decode_padding);
    std::memcpy(room.get(), data, size);
    std::memset(room.get() + size, size % 2 == 0 ? '}' : '"', decode_padding);
    std::string_view roomy{room.get(), size};

    for (UnknownFields unknown : {UnknownFields::reject, UnknownFields::keep}) {
        auto copied = decoder.decode_client(input, 0, unknown, now, event);
        auto in_place = decoder.decode_client(roomy, decode_padding, unknown, now, event);
        ADTALLY_ASSERT(copied.has_value() == in_place.has_value());
        if (copied) {
            ADTALLY_ASSERT(!in_place->code.empty());
            ADTALLY_ASSERT(is_printable_utf8(in_place->message));
        } else {
            check_round_trip(event);
            check_json(input);
        }
        auto broken = decoder.decode_batch(
            roomy, decode_padding, unknown, now, 100,
            [](std::size_t, const Event& element, const std::optional<Rejection>& rejection) {
                if (!rejection)
                    check_round_trip(element);
            });
        ADTALLY_ASSERT(!broken || !broken->code.empty());
    }
    const bool accepted = !decoder.decode_stored(roomy, decode_padding, event);
    check_readers_agree(input, accepted, event);
    if (accepted)
        check_round_trip(event);
    return 0;
}
