// From method and path to a route.
//
// Paths without placeholders are found in one hash look-up that allocates nothing: that is where
// events arrive. All others walk a trie of segments, a literal before a placeholder before {*rest},
// stepping back where a branch does not lead to a route. Segments are compared as they were sent,
// percent-encoded, so that an encoded slash never splits a segment; only what a placeholder took is
// decoded. Immutable after construction, so any number of threads may match at once.
#include "platform/http/router.hpp"

#include <array>
#include <map>
#include <unordered_map>

#include "base/assert.hpp"

namespace adtally::http {

namespace {

constexpr std::size_t method_count = 8;

struct Methods {
    std::array<const Route*, method_count> routes{};

    const Route* find(Method method) const {
        const Route* route = routes[static_cast<std::size_t>(method)];
        if (route == nullptr && method == Method::head)
            route = routes[static_cast<std::size_t>(Method::get)];
        return route;
    }
    void add(const Route& route) {
        const Route*& place = routes[static_cast<std::size_t>(route.method)];
        ADTALLY_ASSERT(place == nullptr && "two routes with the same method and path");
        place = &route;
    }
};

struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::unique_ptr<Node> placeholder;
    Methods here;
    Methods rest;
};

struct Segment {
    std::string_view text;
    std::string_view after;  // from the slash behind it; empty at the end
};

// `path` begins with a slash.
Segment first_segment(std::string_view path) {
    std::size_t end = path.find('/', 1);
    if (end == std::string_view::npos)
        return {path.substr(1), {}};
    return {path.substr(1, end - 1), path.substr(end)};
}

bool is_placeholder(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

struct Search {
    Method method;
    std::array<bool, method_count> offered{};
    std::array<std::string_view, 16> taken{};  // deeper templates are refused at construction
    std::size_t taken_count = 0;

    void note(const Methods& methods) {
        for (std::size_t i = 0; i < method_count; ++i)
            offered[i] = offered[i] || methods.routes[i] != nullptr;
    }
    const Route* try_here(const Methods& methods) {
        note(methods);
        return methods.find(method);
    }
    const Route* walk(const Node& node, std::string_view path) {
        if (path.empty())
            return try_here(node.here);
        Segment segment = first_segment(path);
        auto literal = node.literals.find(segment.text);
        if (literal != node.literals.end()) {
            if (const Route* route = walk(*literal->second, segment.after))
                return route;
        }
        if (segment.text.empty())
            return nullptr;
        if (node.placeholder) {
            taken[taken_count++] = segment.text;
            if (const Route* route = walk(*node.placeholder, segment.after))
                return route;
            --taken_count;
        }
        taken[taken_count++] = path.substr(1);
        if (const Route* route = try_here(node.rest))
            return route;
        --taken_count;
        return nullptr;
    }
};

std::string allow_header(const std::array<bool, method_count>& offered) {
    std::string allow;
    for (std::size_t i = 0; i < method_count; ++i) {
        auto method = static_cast<Method>(i);
        bool offers = offered[i] ||
                      (method == Method::head && offered[static_cast<std::size_t>(Method::get)]);
        if (!offers)
            continue;
        if (!allow.empty())
            allow += ", ";
        allow += to_string(method);
    }
    return allow;
}

}  // namespace

struct Router::Index {
    std::unordered_map<std::string_view, Methods> fixed;  // keys live in routes_
    Node root;

    void add(const Route& route) {
        std::string_view path = route.path;
        ADTALLY_ASSERT(path.starts_with('/') && route.handler != nullptr);
        if (path.find('{') == std::string_view::npos)
            fixed[path].add(route);
        Node* node = &root;
        std::size_t placeholders = 0;
        while (!path.empty()) {
            Segment segment = first_segment(path);
            path = segment.after;
            if (segment.text.starts_with("{*")) {
                ADTALLY_ASSERT(is_placeholder(segment.text) && path.empty());
                node->rest.add(route);
                return;
            }
            std::unique_ptr<Node>* next = &node->placeholder;
            if (is_placeholder(segment.text)) {
                ADTALLY_ASSERT(++placeholders < Search{}.taken.size());
            } else {
                ADTALLY_ASSERT(segment.text.find_first_of("{}") == std::string_view::npos);
                next = &node->literals[std::string(segment.text)];
            }
            if (*next == nullptr)
                *next = std::make_unique<Node>();
            node = next->get();
        }
        node->here.add(route);
    }
};

Router::Router(std::vector<Route> routes)
    : routes_(std::move(routes)), index_(std::make_unique<Index>()) {
    for (const Route& route : routes_)
        index_->add(route);
}

Router::~Router() = default;
Router::Router(Router&&) noexcept = default;

void Router::match(Method method, std::string_view path, Match& into) const {
    into.route = nullptr;
    into.allow.clear();
    into.parameters.clear();
    into.bad_escape = false;

    if (auto found = index_->fixed.find(path); found != index_->fixed.end()) {
        into.route = found->second.find(method);
        if (into.route != nullptr)
            return;
    }
    if (!path.starts_with('/'))
        return;
    Search search{.method = method};
    into.route = search.walk(index_->root, path);
    if (into.route == nullptr) {
        into.allow = allow_header(search.offered);
        return;
    }
    for (std::size_t i = 0; i < search.taken_count; ++i) {
        std::optional<std::string> decoded = percent_decode(search.taken[i], false);
        if (!decoded) {
            into.bad_escape = true;
            return;
        }
        into.parameters.push_back(std::move(*decoded));
    }
}

}  // namespace adtally::http
