// The consumer group: which processor is told that it has which partition.
//
// The group's word is never more than that: a member hears of it at one of its next polls, and
// until then believes what it heard before. So two members may believe to have the same partition,
// which is what the guard in Redis is for.
#pragma once

#include <cstdint>
#include <vector>

#include "base/strong.hpp"
#include "sim/world/setting.hpp"

namespace adtally::sim {

struct Notice {
    bool given = false;  // else: taken
    std::vector<Partition> partitions;
};

class Group {
public:
    explicit Group(Setting& setting);

    void join(int member);
    void leave(int member);  // its partitions are nobody's until the next rebalance
    void rebalance();
    // To all members in turn: nothing stays without an owner, if there is a member. Says nothing
    // where nothing changes.
    void spread();
    bool has_news(int member) const { return !at(member).news.empty(); }
    std::vector<Notice> take_news(int member);
    // -1: nobody.
    int owner(std::int32_t partition) const { return owners_[static_cast<std::size_t>(partition)]; }

private:
    struct Member {
        bool joined = false;
        std::vector<bool> told;  // what it will believe to have once it has heard all news
        std::vector<Notice> news;
    };
    Member& at(int member) { return members_[static_cast<std::size_t>(member)]; }
    const Member& at(int member) const { return members_[static_cast<std::size_t>(member)]; }
    std::vector<int> joined() const;
    void announce();

    Setting& setting_;
    std::vector<Member> members_;
    std::vector<int> owners_;
};

}  // namespace adtally::sim
