// Who is registered where (P-05; RFC 3261 section 10.3).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/registration.hpp"
#include "phone/nonce_window.hpp"

namespace tandem::phone {

/// Where a registrant can be reached. Times are those of the clock that the registrar is told.
struct Contact {
  std::string uri;
  std::string identity;  ///< Of OfferedContact.
  std::string call_id;   ///< Of the REGISTER that made it what it is, and its CSeq.
  std::uint32_t cseq = 0;
  std::string product;
  SocketAddress destination;  ///< Where requests go.
  SocketAddress source;       ///< Where the REGISTER came from.
  SocketAddress local;        ///< Listen address where it arrived; port 0: not known.
  SipTransport transport = SipTransport::udp;
  FlowId flow;                 ///< Of a registration over a connection; gone after a restart.
  bool needs_flow = false;     ///< Nothing reaches it but by `flow`.
  std::string path;            ///< Proxies on the way to it, as of RegisterRequest; "": none.
  bool is_behind_nat = false;  ///< What it calls its own address is none of the source's.
  std::int32_t q_thousandths = 1000;
  std::int64_t registered_at_us = 0;
  std::int64_t expires_at_us = 0;
  std::int64_t heard_at_us = 0;    ///< Its last REGISTER of this run; not stored.
  std::int32_t checks_missed = 0;  ///< In a row, since.
};

/// Where requests to a contact go (RFC 3581 in spirit): to the contact when its host is that of the
/// source, which has proved who it is; else back to where the registration came from.
SocketAddress reachable_address(const OfferedContact& contact, const SocketAddress& source,
                                bool is_over_stream) noexcept;

struct RegistrationRules {
  std::int32_t expires_max_s = 3600;  ///< Granted at most, and when nothing is asked for.
  std::int32_t contacts_max = 1;      ///< 1..8; a further one takes the place of the oldest.
  bool finds_by_source = false;       ///< registrant_at() shall find it.
};

/// What became of a REGISTER whose sender is known.
struct RegistrationOutcome {
  enum class Change : std::uint8_t {
    none,
    registered,    ///< It is online and was not, or at another place.
    unregistered,  ///< It was online and is not any more.
  };
  std::int32_t status = 200;        ///< 200, 400, 423, 500; 401: the nonce was used before.
  std::int32_t min_expires_s = 0;   ///< 423.
  std::vector<BoundContact> bound;  ///< 200.
  Change change = Change::none;
  SocketAddress address;        ///< Of a change: where it is, or was, as the next three.
  SocketAddress source, local;  ///< As of its contact.
  std::string product;
  std::uint64_t sequence = 0;  ///< Of a change: greater for a later one of the registrant.
};

/// Where a contact behind NAT is kept reachable (P-22).
struct NatBinding {
  SocketAddress destination, local;
};

/// Where a contact on UDP is asked whether it is there (P-05).
struct UdpBinding {
  std::string id;
  SocketAddress destination, local;
};

/// A registrant that is gone because it did not register again.
struct ExpiredRegistration {
  std::string id;
  SocketAddress address, source, local;
  std::string product;
  std::uint64_t sequence = 0;  ///< As of RegistrationOutcome.
};

/// A registrant as it is now.
struct Presence {
  std::optional<Contact> best;  ///< Nothing: it is off line.
  std::uint64_t sequence = 0;   ///< Of the change that made it so; 0: none in this run.
};

/// The contacts of one registrant as they are kept over a restart; times are of the wall clock.
struct StoredRegistration {
  std::string id;
  std::vector<Contact> contacts;  ///< Empty: none any more.
};

/// Bindings of registrants, which are phones and gateways by id.
///
/// Threading: thread-safe. The bindings are spread over 64 parts with a lock each, held for as long
/// as one registrant takes; whoever looks up gets copies.
class Registrar {
 public:
  static constexpr std::int32_t expires_min_s = 20;  ///< Below: 423 (RFC 3261 section 10.3).
  static constexpr std::size_t contacts_max = 8;
  static constexpr std::int32_t checks_missed_max = 2;  ///< With the last one a contact goes.
  static constexpr std::size_t parts = 64;              ///< Into which registrants are divided.

  /// Applies a REGISTER whose credentials were verified; `use` is their nonce. All of it or
  /// nothing.
  RegistrationOutcome apply(std::string_view id, const RegisterRequest& request,
                            const NonceUse& use, const RegistrationRules& rules,
                            std::int64_t now_us);
  /// Whether a nonce is used for the first time, for requests other than REGISTER.
  bool use_nonce(std::string_view id, const NonceUse& use);

  /// Live contacts, best first: higher q, then the later registration.
  [[nodiscard]] std::vector<Contact> contacts(std::string_view id, std::int64_t now_us) const;
  [[nodiscard]] bool is_online(std::string_view id, std::int64_t now_us) const;
  [[nodiscard]] Presence presence(std::string_view id, std::int64_t now_us) const;
  /// Whether requests of `id` may be expected from `source`.
  [[nodiscard]] bool is_at(std::string_view id, const SocketAddress& source,
                           std::int64_t now_us) const;
  /// The registrant with `finds_by_source` that is reached there or registered from there.
  [[nodiscard]] std::optional<std::string> registrant_at(const SocketAddress& source) const;

  /// Live contacts behind NAT that are reached over UDP, of the registrants of one part.
  [[nodiscard]] std::vector<NatBinding> behind_nat(std::size_t part, std::int64_t now_us) const;

  /// Live contacts that are reached over UDP and have not registered since `since_us`, of the
  /// registrants of one part.
  [[nodiscard]] std::vector<UdpBinding> over_udp(std::size_t part, std::int64_t since_us,
                                                 std::int64_t now_us) const;
  /// What came of asking a contact whether it is there; a REGISTER that came since `asked_us` says
  /// more. The registrant, when it has no contact left now.
  std::optional<ExpiredRegistration> note_check(std::string_view id,
                                                const SocketAddress& destination,
                                                std::int64_t asked_us, bool is_answered);

  /// How many are on line, but for what expired since the last expire().
  [[nodiscard]] std::size_t online() const;

  /// Takes out what has expired; to be called about once a second.
  std::vector<ExpiredRegistration> expire(std::int64_t now_us);
  /// Drops registrants for which `is_known` is false: they were removed or do not register any
  /// more.
  template <class IsKnown>
  void keep_only(IsKnown is_known) {
    for (Part& part : parts_) {
      const std::lock_guard lock(part.mutex);
      for (auto entry = part.registrants.begin(); entry != part.registrants.end();) {
        const bool is_kept = is_known(entry->first);
        if (!is_kept) forget(part, entry->first, entry->second);
        entry = is_kept ? std::next(entry) : part.registrants.erase(entry);
      }
    }
  }

  /// What changed since it was asked last, with the contacts of now; `wall_minus_us` is added to
  /// their times. At most `registrants_max`; ask again while it is full.
  std::vector<StoredRegistration> take_changes(std::int64_t wall_minus_us,
                                               std::size_t registrants_max);
  [[nodiscard]] bool has_changes() const noexcept { return has_changes_.load(); }
  /// A connection is closed: who is reached by it alone is off line, others lose nothing but it.
  /// Returns those that have no contact left.
  std::vector<ExpiredRegistration> lose_flow(const FlowId& flow);
  /// Puts back what could not be stored: it is a change again.
  void keep_change(std::string_view id);
  /// What an earlier run stored; contacts that have expired by now are left out.
  void restore(StoredRegistration stored, const RegistrationRules& rules,
               std::int64_t wall_minus_us, std::int64_t now_us);

 private:
  struct Registrant {
    std::vector<Contact> contacts;
    NonceWindow nonces;
    std::string last_call_id;  // of the last REGISTER that was taken: its repetition is not another
    std::uint32_t last_cseq = 0;
    std::int64_t stored_us = 0;  // when the last change was given to the store
    bool finds_by_source = false;
    std::int64_t due_us = 0;            // of its place in Part::due; 0: none
    std::uint64_t change_sequence = 0;  // of its last change that is told of
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  using Registrants = std::unordered_map<std::string, Registrant, TextHash, std::equal_to<>>;
  struct alignas(64) Part {
    mutable std::mutex mutex;  // guards the rest
    Registrants registrants;
    std::set<std::pair<std::int64_t, std::string>> due;  // when the next contact of each ends
    std::unordered_set<std::string> changed;
  };

  [[nodiscard]] const Part& part_of(std::string_view id) const noexcept {
    return parts_[std::hash<std::string_view>()(id) % parts_.size()];
  }
  Part& part_of(std::string_view id) noexcept {
    return const_cast<Part&>(std::as_const(*this).part_of(id));
  }
  void schedule(Part& part, const std::string& id, Registrant& registrant);
  void index_sources(const std::string& id, const Registrant& registrant);
  /// False: it is closed.
  bool index_flow(const std::string& id, const FlowId& flow);
  void note_change(Part& part, const std::string& id);
  [[nodiscard]] ExpiredRegistration gone(const std::string& id, Registrant& registrant,
                                         const Contact& last);
  void forget(Part& part, const std::string& id, Registrant& registrant);

  std::array<Part, parts> parts_;
  std::atomic<bool> has_changes_{false};
  std::atomic<std::uint64_t> change_sequence_{0};  // taken inside a part's lock
  mutable std::mutex sources_mutex_;               // guards the next two; taken inside a part's
  std::unordered_multimap<SocketAddress, std::string> by_source_;
  std::unordered_map<std::string, std::vector<SocketAddress>> sources_;  // of each in by_source_
  std::mutex flows_mutex_;  // guards the next; taken inside a part's, never the other way round
  /// Who has registered over a connection that lives; some may have moved to another one since.
  std::unordered_map<std::uint64_t, std::set<std::string>> by_flow_;
  /// Those that were closed last: a REGISTER may still be on its way between workers then.
  std::deque<std::uint64_t> closed_flows_;
  std::unordered_set<std::uint64_t> is_closed_;
};

}  // namespace tandem::phone
