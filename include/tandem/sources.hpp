// Which customer a call comes from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/number_policy.hpp"
#include "tandem/values.hpp"

namespace tandem {

/// Where a customer's calls may come from.
struct TANDEM_EXPORT SourceAddress {
  IpNetwork network;
  std::uint16_t port = 0;  ///< 0: any port.

  /// Reads "IP", "IP/LENGTH", "IP:PORT" or "[IPv6]:PORT". Names are resolved by the caller.
  /// Errors: invalid_argument.
  static Result<SourceAddress> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  bool operator==(const SourceAddress&) const = default;
};

/// A customer gateway as far as telling sources apart goes.
struct CustomerSource {
  std::string id;                        ///< 1..255 bytes, unique.
  std::vector<SourceAddress> addresses;  ///< Empty: never identified by address.
  int priority = 0;                      ///< 0..65535; lower is tried first.
  bool locked = false;                   ///< Identified, then refused by the call layer.
  NumberPolicyConfig numbers;
};

/// Answer to "whose call is this?".
struct SourceMatch {
  enum class Outcome : std::uint8_t {
    identified,  ///< `customer` is it; look at locked().
    unknown,     ///< No customer has this address: an illegal call (S-10).
    restricted,  ///< Customers have it, none accepts these numbers; `customer` is the best one.
  };
  Outcome outcome = Outcome::unknown;
  std::uint32_t customer = 0;  ///< Index in order of add(); meaningless when unknown.
  NumberVerdict restriction = NumberVerdict::accepted;  ///< Why `customer` refused.
};

/// From source address and numbers to customer.
///
/// Several customers may share an address. They are tried by priority, lower first, then by id;
/// the first whose number restrictions accept the call wins (A-03 point 2). How narrow the
/// matching address is does not count. Addresses of names come last, see with().
///
/// Threading: immutable; any number of threads may call it at once.
/// Ownership: copies share one body.
class TANDEM_EXPORT SourceTable {
 public:
  class Builder;
  SourceTable();  ///< Knows nobody.

  /// One hash probe for the address and one for each block length in use, then one policy check
  /// for each customer tried. Does not allocate. `caller` and `callee` as received, before any
  /// rewriting.
  [[nodiscard]] SourceMatch identify(const SocketAddress& source, std::string_view caller,
                                     std::string_view callee) const noexcept;

  /// The same customers, with further addresses of some: what their names stand for now. They are
  /// looked at behind all that customers were added with, whatever the priority, so that who runs
  /// the names of one customer cannot take the calls of another. An index that no customer has is
  /// passed over.
  [[nodiscard]] SourceTable with(
      const std::vector<std::pair<std::uint32_t, SourceAddress>>& more) const;

  /// The customer that was added with this address, or with a block that it is of: the first in the
  /// order of trial.
  [[nodiscard]] std::optional<std::uint32_t> owner_of(const SocketAddress& address) const noexcept;

  [[nodiscard]] std::size_t size() const noexcept;
  /// REQUIRES: `customer` < size(). The view lives as long as the table.
  [[nodiscard]] std::string_view id(std::uint32_t customer) const noexcept;
  [[nodiscard]] bool locked(std::uint32_t customer) const noexcept;
  [[nodiscard]] const NumberPolicy& numbers(std::uint32_t customer) const noexcept;

 private:
  struct Body;
  explicit SourceTable(std::shared_ptr<const Body> body) noexcept;
  std::shared_ptr<const Body> body_;
};

/// Collects customers, then freezes them. Threading: one thread at a time.
class TANDEM_EXPORT SourceTable::Builder {
 public:
  Builder();
  ~Builder();
  Builder(Builder&&) noexcept;
  Builder& operator=(Builder&&) noexcept;

  /// Gives the customer the next index. A failed add() leaves the builder as it was.
  /// Errors: invalid_argument (a field out of range), already_exists (the id was added before).
  Result<void> add(CustomerSource source);

  [[nodiscard]] SourceTable build();  ///< Leaves the builder empty.

 private:
  std::unique_ptr<Body> body_;
};

}  // namespace tandem
