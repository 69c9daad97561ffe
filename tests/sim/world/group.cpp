#include "sim/world/group.hpp"

#include <algorithm>
#include <utility>

namespace adtally::sim {

Group::Group(Setting& setting)
    : setting_(setting),
      members_(setting.profile.hosts),
      owners_(static_cast<std::size_t>(setting.profile.partitions), -1) {}

void Group::join(int member) {
    at(member) = Member{true, std::vector<bool>(owners_.size(), false), {}};
}

void Group::leave(int member) {
    at(member) = Member{};
    std::replace(owners_.begin(), owners_.end(), member, -1);
}

std::vector<int> Group::joined() const {
    std::vector<int> list;
    for (std::size_t i = 0; i < members_.size(); ++i)
        if (members_[i].joined)
            list.push_back(static_cast<int>(i));
    return list;
}

void Group::rebalance() {
    const std::vector<int> there = joined();
    for (int& owner : owners_) {
        const bool nobody = there.empty() || setting_.random.one_in(10);
        owner = nobody ? -1 : there[setting_.random.below(there.size())];
    }
    setting_.faults.saw(Fault::rebalance);
    announce();
}

void Group::spread() {
    const std::vector<int> there = joined();
    const std::vector<int> before = owners_;
    for (std::size_t i = 0; i < owners_.size(); ++i)
        owners_[i] = there.empty() ? -1 : there[i % there.size()];
    if (owners_ != before)
        announce();
}

void Group::announce() {
    setting_.tell("group: partitions belong to {}", fmt::join(owners_, " "));
    for (std::size_t m = 0; m < members_.size(); ++m) {
        Member& member = members_[m];
        if (!member.joined)
            continue;
        Notice taken{false, {}};
        Notice given{true, {}};
        for (std::size_t p = 0; p < owners_.size(); ++p) {
            const bool has = owners_[p] == static_cast<int>(m);
            const Partition partition{static_cast<std::int32_t>(p)};
            if (member.told[p] && (!has || setting_.profile.eager))
                taken.partitions.push_back(partition);
            if (has && (!member.told[p] || setting_.profile.eager))
                given.partitions.push_back(partition);
            member.told[p] = has;
        }
        if (!taken.partitions.empty())
            member.news.push_back(std::move(taken));
        if (!given.partitions.empty())
            member.news.push_back(std::move(given));
    }
}

std::vector<Notice> Group::take_news(int member) {
    return std::exchange(at(member).news, {});
}

}  // namespace adtally::sim
