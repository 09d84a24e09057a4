; A guest of 512 bytes for fault tests: it is up within a second even under emulation, says so on the serial console, counts
; how often its disk was booted, and then counts on for ever. It ignores the power button, so a graceful stop must turn into
; a hard one.
;
;   KVORUM-GUEST-UP boots=0001
;   KVORUM-COUNT 0000
;   KVORUM-COUNT 0001     every half second, hexadecimal
;
; Sector 1 of the disk holds the number of boots.
        bits 16
        org 0x7c00

COM1            equ 0x3f8
LINE_STATUS     equ COM1 + 5
TRANSMIT_EMPTY  equ 0x20
TICKS_PER_COUNT equ 9                   ; the BIOS timer ticks 18.2 times a second
BOOT_COUNT      equ 0x8000              ; where sector 1 is read to

start:
        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        mov [drive], dl                 ; the BIOS names the drive it booted
        sti
        cld

        mov ah, 0x42                    ; int 13h: extended read
        call disk
        inc word [BOOT_COUNT]
        mov ax, 0x4300                  ; int 13h: extended write
        call disk

        mov si, up_text
        call print
        mov ax, [BOOT_COUNT]
        call print_hex
        mov si, line_end
        call print

        xor bx, bx
count:
        mov si, count_text
        call print
        mov ax, bx
        call print_hex
        mov si, line_end
        call print
        inc bx
        mov cx, TICKS_PER_COUNT
wait_tick:
        hlt                             ; sleeps until the next timer interrupt: the host's CPU stays free
        loop wait_tick
        jmp count

disk:                                   ; ah: the BIOS function; one sector at LBA 1 from or to BOOT_COUNT
        mov si, packet
        mov dl, [drive]
        int 0x13
        jc disk_failed
        ret
disk_failed:
        mov si, failed_text
        call print
halt:
        hlt
        jmp halt

print:                                  ; si: text that ends with 0
        lodsb
        test al, al
        jz printed
        call send
        jmp print
printed:
        ret

print_hex:                              ; ax: four digits, highest first
        mov cx, 4
next_digit:
        rol ax, 4
        push ax
        and al, 0x0f
        add al, '0'
        cmp al, '9'
        jbe digit_ready
        add al, 'a' - '0' - 10
digit_ready:
        call send
        pop ax
        loop next_digit
        ret

send:                                   ; al: one byte, as soon as the line takes it
        push ax
        mov dx, LINE_STATUS
line_busy:
        in al, dx
        test al, TRANSMIT_EMPTY
        jz line_busy
        pop ax
        mov dx, COM1
        out dx, al
        ret

up_text:        db 'KVORUM-GUEST-UP boots=', 0
count_text:     db 'KVORUM-COUNT ', 0
failed_text:    db 'KVORUM-GUEST-FAILED disk', 10, 0
line_end:       db 10, 0
drive:          db 0
        align 4
packet:         db 16, 0                ; size of this packet
                dw 1                    ; sectors
                dw BOOT_COUNT, 0        ; offset, segment
                dq 1                    ; first sector

        times 510 - ($ - $$) db 0
        dw 0xaa55
