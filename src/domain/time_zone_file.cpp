#include "domain/time_zone_file.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>

namespace adtally::domain {
namespace {

constexpr std::size_t longest_name = 64;
constexpr std::size_t largest_file = 256 * 1024;

// Big-endian numbers from a bounded text; one read outside of it spoils all.
class Bytes {
public:
    explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

    bool good() const { return good_; }
    std::string_view rest() const { return bytes_; }

    std::string_view take(std::size_t count) {
        if (count > bytes_.size()) {
            good_ = false;
            return {};
        }
        std::string_view taken = bytes_.substr(0, count);
        bytes_.remove_prefix(count);
        return taken;
    }

    template <class Integer>
    Integer number() {
        std::uint64_t value = 0;
        for (char byte : take(sizeof(Integer)))
            value = value << 8 | static_cast<unsigned char>(byte);
        return static_cast<Integer>(value);
    }

private:
    std::string_view bytes_;
    bool good_ = true;
};

struct Header {
    char version = 0;
    std::size_t ut_indicators = 0;
    std::size_t standard_indicators = 0;
    std::size_t leap_seconds = 0;
    std::size_t changes = 0;
    std::size_t types = 0;
    std::size_t name_bytes = 0;

    std::size_t body_bytes(std::size_t time_bytes) const {
        return changes * (time_bytes + 1) + types * 6 + name_bytes +
               leap_seconds * (time_bytes + 4) + standard_indicators + ut_indicators;
    }
};

std::optional<Header> take_header(Bytes& bytes) {
    if (bytes.take(4) != "TZif")
        return std::nullopt;
    Header header;
    header.version = bytes.number<char>();
    bytes.take(15);
    for (std::size_t* count :
         {&header.ut_indicators, &header.standard_indicators, &header.leap_seconds, &header.changes,
          &header.types, &header.name_bytes})
        *count = bytes.number<std::uint32_t>();
    if (!bytes.good() || header.version < '2' || header.types == 0)
        return std::nullopt;
    return header;
}

}  // namespace

bool is_time_zone_name(std::string_view name) {
    if (name.empty() || name.size() > longest_name || name.front() == '/' || name.back() == '/')
        return false;
    char before = '/';
    for (char byte : name) {
        bool allowed = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                       (byte >= '0' && byte <= '9') || byte == '_' || byte == '+' || byte == '-' ||
                       (byte == '/' && (before != '/'));
        if (!allowed)
            return false;
        before = byte;
    }
    return true;
}

std::shared_ptr<const TimeZoneFile> TimeZoneFile::load(std::string_view name) {
    if (!is_time_zone_name(name))
        return nullptr;
    std::ifstream file("/usr/share/zoneinfo/" + std::string{name}, std::ios::binary);
    std::string bytes(largest_file, '\0');
    if (!file)
        return nullptr;
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
    return parse(bytes);
}

std::shared_ptr<const TimeZoneFile> TimeZoneFile::parse(std::string_view text) {
    Bytes bytes{text};
    std::optional<Header> old = take_header(bytes);  // with 32-bit times, skipped
    if (!old)
        return nullptr;
    bytes.take(old->body_bytes(4));
    std::optional<Header> header = take_header(bytes);
    if (!header || header->leap_seconds != 0 || header->body_bytes(8) > bytes.rest().size())
        return nullptr;

    auto zone = std::make_shared<TimeZoneFile>();
    for (std::size_t index = 0; index < header->changes; ++index)
        zone->changes_.push_back({bytes.number<std::int64_t>(), 0});
    std::string_view types_after = bytes.take(header->changes);
    std::vector<std::int64_t> offsets;
    for (std::size_t index = 0; index < header->types; ++index) {
        offsets.push_back(bytes.number<std::int32_t>());
        bytes.take(2);  // whether it is summer time, and its name
    }
    for (std::size_t index = 0; index < header->changes; ++index) {
        auto type = static_cast<unsigned char>(types_after[index]);
        if (type >= offsets.size())
            return nullptr;
        zone->changes_[index].offset = offsets[type];
    }
    zone->first_offset_ = offsets.front();
    auto earlier = [](const Change& a, const Change& b) { return a.at < b.at; };
    bool sane = std::is_sorted(zone->changes_.begin(), zone->changes_.end(), earlier) &&
                std::all_of(offsets.begin(), offsets.end(), [](std::int64_t offset) {
                    return offset > -26 * 3600 && offset < 26 * 3600;
                });
    bytes.take(header->name_bytes + header->standard_indicators + header->ut_indicators);

    std::string_view footer = bytes.rest();
    if (!sane || footer.size() < 2 || footer.front() != '\n' || footer.back() != '\n')
        return nullptr;
    footer = footer.substr(1, footer.size() - 2);
    if (!footer.empty()) {
        zone->rule_ = PosixTimeRule::parse(footer);
        if (!zone->rule_)
            return nullptr;
    }
    return zone;
}

OffsetSpan TimeZoneFile::at(std::int64_t utc_seconds) const {
    auto later = [](std::int64_t time, const Change& change) { return time < change.at; };
    auto next = std::upper_bound(changes_.begin(), changes_.end(), utc_seconds, later);
    OffsetSpan span;
    if (next == changes_.end() && rule_) {
        span = rule_->at(utc_seconds);
        if (!changes_.empty())
            span.from = std::max(span.from, changes_.back().at);
        return span;
    }
    if (next != changes_.end())
        span.until = next->at;
    if (next != changes_.begin()) {
        span.from = std::prev(next)->at;
        span.offset = std::prev(next)->offset;
    } else {
        span.offset = first_offset_;
    }
    return span;
}

}  // namespace adtally::domain
