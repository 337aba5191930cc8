// Which calls a trace wants.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/trace.hpp"
#include "tandem/values.hpp"

namespace tandem::trace {

/// What is known of a call by now. Views end with the call that takes them.
struct CallFacts {
  SocketAddress source;
  std::string_view caller_in, callee_in;  ///< As they came.
  std::string_view caller, callee;        ///< For routing; "": not yet known.
  std::string_view customer;      ///< Id of its gateway, or of its phone; "": not yet known.
  std::string_view called_phone;  ///< Number of the phone that is called; "": none.
  std::vector<std::string_view> vendors;  ///< Tried so far: ids of gateways, or of phones.
  bool is_judged = false;                 ///< Numbers and customer will not change any more.
  bool is_over = false;                   ///< Nothing will.
};

enum class Fit : std::uint8_t { no, maybe, yes };

/// A TraceFilter that was read. Threading: immutable; any number of threads may call it at once.
class Filter {
 public:
  /// Errors: invalid_argument ("/source: ...").
  static Result<Filter> create(const TraceFilter& wanted);
  [[nodiscard]] Fit fit(const CallFacts& facts) const;
  /// Whether a call from there may be wanted.
  [[nodiscard]] bool may_come_from(const IpAddress& source) const noexcept {
    return !has_source_ || source_.contains(source);
  }

 private:
  TraceFilter wanted_;
  std::string phone_id_;
  bool has_source_ = false;
  IpNetwork source_;
};

}  // namespace tandem::trace
