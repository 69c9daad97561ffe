#include "pipeline/processor/deltas.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace adtally::processor {
namespace {

template <class T>
void append_list(std::vector<T>& into, const std::vector<T>& from) {
    into.insert(into.end(), from.begin(), from.end());
}

// Sorts by `key` and merges neighbours with equal keys through `merge(into, from)`.
template <class T, class Key, class Merge>
void merge_list(std::vector<T>& list, Key key, Merge merge) {
    std::sort(list.begin(), list.end(), [&](const T& a, const T& b) { return key(a) < key(b); });
    auto last = list.begin();
    for (auto it = list.begin(); it != list.end(); ++it) {
        if (it == list.begin())
            continue;
        if (key(*last) == key(*it))
            merge(*last, *it);
        else if (++last != it)
            *last = std::move(*it);
    }
    if (!list.empty())
        list.erase(last + 1, list.end());
}

constexpr auto merge_delta = [](auto& into, const auto& from) { into.delta.merge(from.delta); };

}  // namespace

void append(Deltas& into, const Deltas& from) {
    append_list(into.ads, from.ads);
    append_list(into.campaigns, from.campaigns);
    append_list(into.hours, from.hours);
    append_list(into.days, from.days);
    append_list(into.windows, from.windows);
    append_list(into.sessions, from.sessions);
}

void sort_and_merge(Deltas& deltas) {
    auto by_id = [](const EntityDelta& entry) { return entry.id; };
    merge_list(deltas.ads, by_id, merge_delta);
    merge_list(deltas.campaigns, by_id, merge_delta);
    merge_list(
        deltas.hours, [](const HourDelta& entry) { return std::tuple(entry.ad, entry.hour); },
        [](HourDelta& merged, const HourDelta& from) {
            merged.delta.merge(from.delta);
            merged.latest = std::max(merged.latest, from.latest);
        });
    merge_list(
        deltas.days, [](const DayDelta& entry) { return std::tuple(entry.ad, entry.day); },
        merge_delta);
    merge_list(
        deltas.windows,
        [](const WindowDelta& entry) { return std::tuple(entry.entity, entry.id, entry.bucket); },
        [](WindowDelta& merged, const WindowDelta& from) {
            merged.impressions += from.impressions;
            merged.clicks += from.clicks;
        });
    merge_list(
        deltas.sessions, [](const SessionDelta& entry) { return std::string_view(entry.session); },
        [](SessionDelta& merged, const SessionDelta& from) {
            merged.clicks += from.clicks;
            merged.last_click = std::max(merged.last_click, from.last_click);
        });
}

}  // namespace adtally::processor
