// Names that find their object: our Via branches and tags carry worker, slot and
// a random part.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "tandem/clock.hpp"

namespace tandem::sip {

/// SipHash-1-3 over pieces: a hash that a sender without the key cannot steer. Each piece is closed
/// by its length, so
/// ("a", "bc") and ("ab", "c") differ.
class KeyedHash {
 public:
  struct Key {
    std::uint64_t k0 = 0;
    std::uint64_t k1 = 0;
  };
  explicit KeyedHash(const Key& key) noexcept;
  KeyedHash& add(std::string_view piece) noexcept;
  KeyedHash& add(std::uint64_t number) noexcept;
  [[nodiscard]] std::uint64_t value() noexcept;  ///< Ends the hash.

 private:
  void round() noexcept;
  std::uint64_t v0_, v1_, v2_, v3_;
};

/// Where an object lives. As text: 't', 2 digits of worker, 8 of slot, 16 of random, all lower-case
/// hexadecimal.
struct Token {
  static constexpr std::size_t text_bytes = 27;
  static constexpr std::uint32_t no_slot =
      0xffffffff;  ///< A tag of a stateless response: no object stands behind.
  using Text = std::array<char, text_bytes>;

  std::uint8_t worker = 0;
  std::uint32_t slot = no_slot;
  std::uint64_t random = 0;

  [[nodiscard]] Text text() const noexcept;
  /// False when `text` was not made by text().
  static bool parse(std::string_view text, Token& token) noexcept;
};

/// "z9hG4bK" and a token.
struct BranchText {
  std::array<char, 7 + Token::text_bytes> chars;
  [[nodiscard]] std::string_view view() const noexcept { return {chars.data(), chars.size()}; }
};
BranchText branch_text(const Token& token) noexcept;
bool parse_branch(std::string_view branch, Token& token) noexcept;

inline std::string_view view(const Token::Text& text) noexcept {
  return {text.data(), text.size()};
}

}  // namespace tandem::sip
