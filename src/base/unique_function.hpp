// A callable that is moved and not copied (std::move_only_function comes with C++23).
//
// Promise: called at most as often as the owner calls it; an empty one asserts when called.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "base/assert.hpp"

namespace adtally {

template <class Signature>
class UniqueFunction;

template <class R, class... Args>
class UniqueFunction<R(Args...)> {
public:
    UniqueFunction() = default;

    template <class F>
    requires(!std::is_same_v<std::decay_t<F>, UniqueFunction> &&
             std::is_invocable_r_v<R, F&, Args...>)
        UniqueFunction(F callable)  // NOLINT: implicit, as std::function is
        : held_(std::make_unique<Held<F>>(std::move(callable))) {}

    explicit operator bool() const { return held_ != nullptr; }

    R operator()(Args... args) {
        ADTALLY_ASSERT(held_ != nullptr);
        return held_->call(std::forward<Args>(args)...);
    }

private:
    struct Base {
        virtual ~Base() = default;
        virtual R call(Args... args) = 0;
    };
    template <class F>
    struct Held final : Base {
        explicit Held(F callable) : callable_(std::move(callable)) {}
        R call(Args... args) override { return callable_(std::forward<Args>(args)...); }
        F callable_;
    };
    std::unique_ptr<Base> held_;
};

}  // namespace adtally
