// Asking by ENUM (RFC 6116).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "io/dns_client.hpp"
#include "lrn/resolver.hpp"

namespace tandem::lrn {

/// The NAPTR records of a number in a tree of names, as RFC 4769 uses them for portability. An
/// answer is a usable record; a name that is not there, or has none, refuses; what a server could
/// not or would not do counts as unreachable.
class EnumResolver final : public Resolver, private io::DnsEvents {
 public:
  /// All references outlive the resolver.
  EnumResolver(const LrnResolverConfig& config, io::Loop& loop, Random& random,
               ResolverEvents& events);

  [[nodiscard]] bool ask(std::uint64_t id, std::string_view number, unsigned attempt) override;
  void forget(std::uint64_t id) override;

 private:
  void on_dns_answer(std::uint64_t id, const io::dns::Response& response) override;
  void on_dns_failure(std::uint64_t id, std::string_view reason) override;

  const LrnResolverConfig& config_;
  ResolverEvents& events_;
  io::DnsClient client_;
};

/// "+442079460148" in "e164.arpa": "8.4.1.0.6.4.9.7.0.2.4.4.e164.arpa" (RFC 6116 section 3.2).
/// Nothing for what has other characters than digits behind a '+', which may be missing.
[[nodiscard]] std::optional<std::string> enum_name(std::string_view number,
                                                   std::string_view suffix);

/// The record that the answer for a name of enum_name() stands for: of the first record in order
/// that is terminal, of service `E2U+pstn`, `E2U+sip` or `E2U+tel`, and gives a tel, sip or sips
/// URI with `rn` or `npdi` (RFC 4694). `suffix`: as the name has it; `region_key`: URI parameter of
/// the region. Nothing: there is no such record among the first 8 of those services.
[[nodiscard]] std::optional<LrnRecord> record_from_naptr(const io::dns::Response& response,
                                                         std::string_view suffix,
                                                         std::string_view region_key);

}  // namespace tandem::lrn
