import type { ReactNode } from 'react';
import { navigate } from './route';

interface LinkProps {
  readonly to: string;
  readonly className?: string;
  readonly testId?: string;
  readonly label?: string;
  readonly isCurrent?: boolean;
  readonly onFollow?: () => void;
  readonly children: ReactNode;
}

/** A link inside the page. With a modifier key it stays the browser's: a new tab is a new tab. */
export function Link({ to, className, testId, label, isCurrent = false, onFollow, children }: LinkProps) {
  return (
    <a
      href={to}
      className={className}
      data-testid={testId}
      aria-label={label}
      aria-current={isCurrent ? 'page' : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
        event.preventDefault();
        onFollow?.();
        navigate(to);
      }}
    >
      {children}
    </a>
  );
}
