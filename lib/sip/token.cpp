#include "sip/token.hpp"

#include <bit>
#include <cstring>

namespace tandem::sip {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

char* put_hex(char* out, std::uint64_t number, int digits) noexcept {
  for (int i = digits - 1; i >= 0; --i)
    *out++ = hex_digits[(number >> (4 * i)) & 15];
  return out;
}

bool take_hex(const char* text, int digits, std::uint64_t& number) noexcept {
  number = 0;
  for (int i = 0; i < digits; ++i) {
    const char c = text[i];
    unsigned digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<unsigned>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<unsigned>(c - 'a' + 10);
    } else {
      return false;
    }
    number = number << 4 | digit;
  }
  return true;
}

}  // namespace

KeyedHash::KeyedHash(const Key& key) noexcept
    : v0_(key.k0 ^ 0x736f6d6570736575ULL),
      v1_(key.k1 ^ 0x646f72616e646f6dULL),
      v2_(key.k0 ^ 0x6c7967656e657261ULL),
      v3_(key.k1 ^ 0x7465646279746573ULL) {}

void KeyedHash::round() noexcept {
  v0_ += v1_;
  v1_ = std::rotl(v1_, 13) ^ v0_;
  v0_ = std::rotl(v0_, 32);
  v2_ += v3_;
  v3_ = std::rotl(v3_, 16) ^ v2_;
  v0_ += v3_;
  v3_ = std::rotl(v3_, 21) ^ v0_;
  v2_ += v1_;
  v1_ = std::rotl(v1_, 17) ^ v2_;
  v2_ = std::rotl(v2_, 32);
}

KeyedHash& KeyedHash::add(std::uint64_t number) noexcept {
  v3_ ^= number;
  round();
  v0_ ^= number;
  return *this;
}

KeyedHash& KeyedHash::add(std::string_view piece) noexcept {
  const std::size_t size = piece.size();
  const char* next = piece.data();
  std::size_t left = size;
  for (; left >= 8; left -= 8, next += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, next, 8);
    add(word);
  }
  std::uint64_t last = 0;
  if (left > 0) std::memcpy(&last, next, left);
  // At most seven bytes are in `last`; the top byte closes the piece with its length, and a word of
  // the whole length follows when that does not fit, so no two lists of pieces look alike.
  add(last | static_cast<std::uint64_t>(size & 0xff) << 56);
  if (size > 0xff) add(static_cast<std::uint64_t>(size));
  return *this;
}

std::uint64_t KeyedHash::value() noexcept {
  v2_ ^= 0xff;
  round();
  round();
  round();
  return v0_ ^ v1_ ^ v2_ ^ v3_;
}

Token::Text Token::text() const noexcept {
  Text text;
  char* out = text.data();
  *out++ = 't';
  out = put_hex(out, worker, 2);
  out = put_hex(out, slot, 8);
  put_hex(out, random, 16);
  return text;
}

bool Token::parse(std::string_view text, Token& token) noexcept {
  if (text.size() != text_bytes || text[0] != 't') return false;
  std::uint64_t worker = 0;
  std::uint64_t slot = 0;
  if (!take_hex(text.data() + 1, 2, worker) || !take_hex(text.data() + 3, 8, slot) ||
      !take_hex(text.data() + 11, 16, token.random)) {
    return false;
  }
  token.worker = static_cast<std::uint8_t>(worker);
  token.slot = static_cast<std::uint32_t>(slot);
  return true;
}

BranchText branch_text(const Token& token) noexcept {
  BranchText branch;
  std::memcpy(branch.chars.data(), "z9hG4bK", 7);
  const Token::Text text = token.text();
  std::memcpy(branch.chars.data() + 7, text.data(), text.size());
  return branch;
}

bool parse_branch(std::string_view branch, Token& token) noexcept {
  return branch.size() == 7 + Token::text_bytes && branch.substr(0, 7) == "z9hG4bK" &&
         Token::parse(branch.substr(7), token);
}

}  // namespace tandem::sip
