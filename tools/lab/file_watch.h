// SPDX-License-Identifier: Apache-2.0
/// \file
/// FileWatch: notices that a file was saved.
#pragma once

#include <sys/stat.h>

#include <filesystem>

namespace qlab {

/// inotify on the file's folder, because editors replace a file as often as they write it. Where
/// inotify is silent (network drives, some containers) the file's time and size tell.
class FileWatch {
 public:
  explicit FileWatch(std::filesystem::path file);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  /// Becomes readable when something happens in the folder; -1 without inotify.
  int descriptor() const { return inotify_; }
  /// Whether the file was saved since the last call. A file that is being replaced is not news until
  /// it is there again.
  bool changed();

 private:
  struct Stamp {
    bool there = false;
    ino_t inode = 0;
    off_t size = 0;
    timespec time{};
  };
  Stamp stamp() const;

  std::filesystem::path file_;
  int inotify_ = -1;
  Stamp last_;
};

}  // namespace qlab
