#include "pipeline/collector/parameters.hpp"

#include <algorithm>
#include <array>

namespace adtally::collector {
namespace {

using domain::Rejection;

// Ad servers add one of these so that no cache answers in our place.
constexpr std::array<std::string_view, 5> cache_busters{"cb", "cachebuster", "ord", "rnd", "_"};

bool is_cache_buster(std::string_view name) {
    return std::find(cache_busters.begin(), cache_busters.end(), name) != cache_busters.end();
}

auto position(const Parameters& parameters, std::string_view name) {
    return std::find_if(parameters.begin(), parameters.end(),
                        [&](const auto& parameter) { return parameter.first == name; });
}

}  // namespace

std::optional<std::string> take_parameter(Parameters& parameters, std::string_view name) {
    auto found = position(parameters, name);
    if (found == parameters.end())
        return std::nullopt;
    std::size_t index = static_cast<std::size_t>(found - parameters.begin());
    std::string value = std::move(parameters[index].second);
    parameters.erase(parameters.begin() + static_cast<std::ptrdiff_t>(index));
    return value;
}

const std::string* find_parameter(const Parameters& parameters, std::string_view name) {
    auto found = position(parameters, name);
    return found == parameters.end() ? nullptr : &found->second;
}

// The list is short (CollectorOptions::max_parameters), so each is compared with all before it.
std::optional<Rejection> check_no_duplicates(const Parameters& parameters) {
    for (std::size_t i = 1; i < parameters.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (parameters[i].first == parameters[j].first)
                return Rejection{"duplicate_field", parameters[i].first,
                                 "parameter is given twice; give it once"};
        }
    }
    return std::nullopt;
}

std::optional<Rejection> read_event(Parameters& parameters, domain::EventType type,
                                    domain::UnknownFields unknown, TimestampMs now,
                                    domain::Event& into) {
    std::erase_if(parameters, [](const auto& entry) { return is_cache_buster(entry.first); });
    if (auto twice = check_no_duplicates(parameters))
        return twice;
    into.clear();
    for (auto& [name, value] : parameters) {
        if (name == "type" && value != domain::to_string(type))
            return Rejection{"invalid_value", "type",
                             "this address takes events of type " +
                                 std::string(domain::to_string(type)) + " only; leave type out"};
        std::optional<Rejection> rejection = domain::set_field(into, name, value);
        if (rejection && rejection->code == "unknown_field" &&
            unknown == domain::UnknownFields::keep) {
            name.insert(0, "attributes.");
            rejection = domain::set_field(into, name, value);
        }
        if (rejection)
            return rejection;
    }
    into.type = type;
    return domain::check_complete(into, true, now);
}

}  // namespace adtally::collector
