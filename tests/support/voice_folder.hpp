// A voice whose every sound is known by ear: each file is one A-law code again and again.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tandem/spoken.hpp"

namespace tandem::test {

/// WAV of A-law: one channel, 8,000 Hz.
inline std::string alaw_wav(const std::string& codes) {
  const auto number = [](std::uint32_t value, int bytes) {
    std::string text;
    for (; bytes > 0; --bytes, value >>= 8)
      text.push_back(static_cast<char>(value & 0xFF));
    return text;
  };
  const auto size = static_cast<std::uint32_t>(codes.size());
  return "RIFF" + number(36 + size, 4) + "WAVEfmt " + number(16, 4) + number(6, 2) + number(1, 2) +
         number(8000, 4) + number(8000, 4) + number(1, 2) + number(8, 2) + "data" +
         number(size, 4) + codes;
}

/// Everything that a grammar may say, 200 ms each. Deleted at the end.
class VoiceFolder {
 public:
  explicit VoiceFolder(const SpokenGrammar& grammar, const std::string& currency = "USD") {
    std::string name = (std::filesystem::temp_directory_path() / "tandem-voice-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    std::vector<std::string> names = grammar.vocabulary("remaining_time").value();
    const SpokenPhrase of_money = grammar.vocabulary("remaining_amount", currency).value();
    names.insert(names.end(), of_money.begin(), of_money.end());
    for (const std::string& one : names)
      add(one.substr(0, one.find('|')));
  }
  ~VoiceFolder() { std::filesystem::remove_all(path_); }
  VoiceFolder(const VoiceFolder&) = delete;
  VoiceFolder& operator=(const VoiceFolder&) = delete;

  [[nodiscard]] std::string path() const { return path_.string(); }
  void remove(const std::string& name) { std::filesystem::remove(file(name)); }
  /// The file that this code is of; "": none.
  [[nodiscard]] std::string name_of(int code) const {
    const auto found = names_.find(code);
    return found == names_.end() ? std::string() : found->second;
  }

 private:
  [[nodiscard]] std::filesystem::path file(const std::string& name) const {
    return path_ / (name + ".wav");
  }
  void add(const std::string& name) {
    for (const auto& [code, known] : names_) {
      if (known == name) return;
    }
    const int code = 0x40 + static_cast<int>(names_.size());  // far from silence, 0xD5
    names_[code] = name;
    std::filesystem::create_directories(file(name).parent_path());
    std::ofstream(file(name), std::ios::binary)
        << alaw_wav(std::string(1600, static_cast<char>(code)));
  }

  std::filesystem::path path_;
  std::map<int, std::string> names_;  // by code
};

}  // namespace tandem::test
