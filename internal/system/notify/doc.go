// Package notify speaks with the service manager that started the process:
// sd_notify(3) and sd_listen_fds(3), without its library.
package notify
