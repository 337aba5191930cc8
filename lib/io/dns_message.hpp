// DNS messages (RFC 1035): questions as bytes, answers as values. No network here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/values.hpp"

namespace tandem::io::dns {

/// The types that are asked for; all of class IN.
enum class RecordType : std::uint16_t { a = 1, cname = 5, aaaa = 28, srv = 33, naptr = 35 };

/// Names are text without a dot at the end: labels of 1..63 visible ASCII characters, none of them
/// '.', '\\' or '"', joined by dots; at most 253 characters; "" is the root. Case says nothing.
[[nodiscard]] bool is_name(std::string_view text) noexcept;

struct Question {
  std::string name;
  RecordType type = RecordType::a;
};

struct Alias {  ///< CNAME, RFC 1035 section 3.3.1.
  std::string target;
  bool operator==(const Alias&) const = default;
};

struct Service {               ///< SRV, RFC 2782.
  std::uint16_t priority = 0;  ///< Lower is tried first.
  std::uint16_t weight = 0;    ///< Share among equal priorities.
  std::uint16_t port = 0;
  std::string target;  ///< "": there is decidedly no such service.
  bool operator==(const Service&) const = default;
};

struct NamingAuthority {                ///< NAPTR, RFC 3403.
  std::uint16_t order = 0;              ///< Lower goes first, and nothing else once it matched.
  std::uint16_t preference = 0;         ///< Lower goes first among equal orders.
  std::string flags, services, regexp;  ///< 0..255 bytes of any value each.
  std::string replacement;              ///< "" with a regexp.
  bool operator==(const NamingAuthority&) const = default;
};

/// One record. An IpAddress stands for A and AAAA.
struct Record {
  std::string name;
  std::uint32_t ttl_s = 0;  ///< 0..2^31-1; a greater one is read as 0 (RFC 2181 section 8).
  std::variant<IpAddress, Alias, Service, NamingAuthority> data;
  [[nodiscard]] RecordType type() const noexcept;
  bool operator==(const Record&) const = default;
};

/// What a name server answered.
struct Response {
  static constexpr int no_error = 0, server_failure = 2, name_error = 3, refused = 5;

  std::uint16_t id = 0;
  int code = no_error;        ///< RFC 1035 section 4.1.1, with the eight bits of RFC 6891.
  bool is_truncated = false;  ///< Then no record is read: the same is to be asked over TCP.
  Question question;
  std::vector<Record> records;  ///< Of the answer and additional sections, in that order.
  std::size_t answers = 0;      ///< How many of them are of the answer section.
  /// For how long that there is nothing may be believed: the SOA record's TTL or its MINIMUM,
  /// whichever is less (RFC 2308 section 5). Nothing: no SOA record came.
  std::optional<std::uint32_t> negative_ttl_s = std::nullopt;
};

inline constexpr std::size_t records_max = 128;         ///< Of a response, all sections together.
inline constexpr std::size_t udp_payload_bytes = 1232;  ///< What questions say we take.

/// A recursive question with an OPT record (RFC 6891), for UDP; TCP wants its length in front.
/// Errors: invalid_argument (no name).
[[nodiscard]] Result<std::string> encode_query(std::uint16_t id, const Question& question);

/// Reads a response of one question, strictly: every byte belongs to something, every name is one,
/// compression points backwards (RFC 1035 section 4.1.4) and at most 16 times within a name, so
/// that the work is linear in the bytes. Records of other types and classes are passed over.
/// Errors: corrupt (with the place), limit (more than `records_max` records).
[[nodiscard]] Result<Response> decode_response(std::string_view bytes);

/// True when the id and the question are the ones that were asked; else it is a stray or a forgery.
[[nodiscard]] bool is_answer_to(const Response& response, std::uint16_t id,
                                const Question& question) noexcept;

inline constexpr int aliases_max = 8;  ///< That a name is followed through.

/// What the answer section says of a name, through at most `aliases_max` aliases. What stands in
/// the additional section was not asked for and says nothing here.
struct Chain {
  std::vector<const Record*> records;  ///< In the order of the response; they live in it.
  std::string_view end;                ///< The name that the aliases lead to.
  int aliases = 0;                     ///< Followed; one more than aliases_max: too many.
  std::uint32_t ttl_s = 0x7fffffff;    ///< The least of all that was used.
};
[[nodiscard]] Chain follow_aliases(const Response& response, std::string_view name,
                                   RecordType type);

}  // namespace tandem::io::dns
