// SPDX-License-Identifier: Apache-2.0
/// \file
/// inotify wakes; stat decides.
#include "lab/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace qlab {

FileWatch::FileWatch(std::filesystem::path file)
    : file_(std::move(file)), inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), last_(stamp()) {
  if (inotify_ >= 0) {
    inotify_add_watch(inotify_, file_.parent_path().c_str(), IN_CLOSE_WRITE | IN_MOVED_TO);
  }
}

FileWatch::~FileWatch() {
  if (inotify_ >= 0) close(inotify_);
}

FileWatch::Stamp FileWatch::stamp() const {
  struct stat status {};
  if (stat(file_.c_str(), &status) != 0) return {};
  return {.there = true, .inode = status.st_ino, .size = status.st_size, .time = status.st_mtim};
}

bool FileWatch::changed() {
  std::array<char, 4096> events;
  while (inotify_ >= 0 && read(inotify_, events.data(), events.size()) > 0) {
  }
  const Stamp now = stamp();
  const bool same = now.inode == last_.inode && now.size == last_.size &&
                    now.time.tv_sec == last_.time.tv_sec && now.time.tv_nsec == last_.time.tv_nsec;
  if (!now.there || (last_.there && same)) return false;
  last_ = now;
  return true;
}

}  // namespace qlab
