// Whatever stands in `to`, a Location that is sent leads to a listed host by http or https. The
// judge is a reading of its own, as a browser would do it, and not the parser under test.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.hpp"
#include "pipeline/collector/click_target.hpp"

namespace {

// What a browser takes for the host: up to the first of / \ ? #, behind the last @.
std::string_view host_as_browsers_see_it(std::string_view location) {
    std::size_t start = location.find("://") + 3;
    std::size_t end = location.find_first_of("/\\?#", start);
    std::string_view authority = location.substr(start, end - start);
    std::size_t at = authority.rfind('@');
    return at == std::string_view::npos ? authority : authority.substr(at + 1);
}

bool has_byte_that_breaks_a_header(std::string_view text) {
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>')
            return true;
    }
    return false;
}

void check(std::string_view location) {
    ADTALLY_ASSERT(location.starts_with("http://") || location.starts_with("https://"));
    ADTALLY_ASSERT(!has_byte_that_breaks_a_header(location));
    std::string_view host = host_as_browsers_see_it(location);
    ADTALLY_ASSERT(host == "shop.example" || host == "shop.example:443" ||
                   host == "shop.example:80" || host == "dev.example:8443");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace adtally;
    static const collector::ClickTargets targets({"shop.example", "dev.example:8443"}, "secret");
    std::string_view to(reinterpret_cast<const char*>(data), size);
    TimestampMs now{1'705'327'402'123};
    auto location =
        targets.approve({to, domain::AdId{1}, std::string_view("00"), std::string_view("1")}, now);
    if (!location)
        return 0;
    check(location.value());
    check(collector::with_click_id(location.value(), "cid", "c-1"));
    // What was approved once is approved again and does not change: nothing is lost in between.
    auto again = targets.approve({location.value(), domain::AdId{1}, {}, {}}, now);
    ADTALLY_ASSERT(!again ? location.value().size() > collector::max_target_bytes
                          : again.value() == location.value());
    return 0;
}
